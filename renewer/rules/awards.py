"""What each cycle brought a member and what it should have brought."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum

from renewer.errors import PlanError
from renewer.rules import cycle
from renewer.rules.ledger import CycleName, Reason, value
from renewer.rules.plans import Plans


class Gap(StrEnum):
    """Why a cycle brought less, or nothing as agreed, beside an entry's Reason."""

    NO_ALLOWANCE = "no_allowance"
    RULES_CORRECTED = "rules_corrected"


@value
class PastCycle:
    """
    A cycle that has begun: what it should bring, and what it brought.

    *expected* is by the rules on record now, None when there are none. *reason* says
    why it brought less, or nothing at all. *late* says that some of it came by a
    backfill. A cycle that is not *posted* has brought nothing yet.
    """

    first_day: date
    last_day: date
    expected: int | None
    awarded: int
    reason: str | None
    late: bool = False
    posted: bool = True


@value
class Award:
    """
    One boundary on record: the renewal of *cycle*.

    *late* is what was made up for later, None for never. *awarded_at* are the times at
    which either occurred or its pass acted. *posted_at* is when the last was written.
    *seq* is the renewal's number in the ledger.
    """

    cycle: CycleName
    amount: int
    reason: str | None
    late: int | None
    awarded_at: tuple[datetime, ...]
    posted_at: datetime
    seq: int = 0

    @property
    def awarded(self) -> int:
        """Return all the cycle brought."""
        return self.amount + (self.late or 0)


def expected(award: Award, plans: Plans) -> int:
    """
    Return what the cycle should bring by the rules on record; PlanError without any.

    A change of plan in mid-cycle brings what was left of the old cycle, not an
    allowance: it is taken as it is.
    """
    if award.reason == Reason.PLAN_CHANGED:
        return award.amount
    return plans.in_force(award.cycle.plan, award.cycle.first_day).allowance


def owed(award: Award, plans: Plans, *, suspended: bool = False) -> int:
    """
    Return what a late renewal may bring, once; 0 for nothing.

    What was withheld because the member was *suspended* is owed only when that is said
    to have been a mistake.
    """
    if award.late is not None:
        return 0
    if award.reason == Reason.SUSPENDED and not suspended:
        return 0
    return max(expected(award, plans) - award.amount, 0)


def past_cycles(awards: Sequence[Award], plans: Plans) -> Iterator[PastCycle]:
    """Yield what each cycle on record brought."""
    for award in awards:
        named = award.cycle
        try:
            due = expected(award, plans)
        except PlanError:
            due = None
        yield PastCycle(
            first_day=named.first_day,
            last_day=cycle.last_day(named.anchor_on, named.cycle_n),
            expected=due,
            awarded=award.awarded,
            reason=_reason(award, due),
            late=award.late is not None,
        )


def _reason(award: Award, due: int | None) -> str | None:
    """Return what a reader should know of the amount; None: nothing."""
    if award.reason == Reason.PLAN_CHANGED:
        return award.reason
    if due == 0 and award.awarded == 0:
        return Gap.NO_ALLOWANCE
    if due is not None and award.awarded >= due:
        return None
    if award.reason is None and due is not None:
        return Gap.RULES_CORRECTED
    return award.reason
