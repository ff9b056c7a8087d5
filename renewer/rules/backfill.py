"""What a backfill posts for one member: at most one late renewal a boundary, ever."""

from collections.abc import Sequence
from datetime import date, datetime

from renewer.rules.boundary import allowance_ends_at
from renewer.rules.cycle_history import Award, owed
from renewer.rules.draft import Draft
from renewer.rules.ledger import Kind, Member, Source, Status
from renewer.rules.plans import Plans
from renewer.rules.policy import post_due
from renewer.rules.posting import Posting
from renewer.rules.requests import status_at
from renewer.rules.value import value


@value
class Backfill:
    """
    The cycles of a backfill: those that begin from *start* to *end*.

    With *plan* only cycles that plan governs. *reason* is recorded with what is made up
    for. *named* says that the members were named one by one: then what was withheld
    while they were suspended is owed, too.
    """

    start: date
    end: date
    plan: str | None = None
    reason: str | None = None
    named: bool = False

    def concerns(self, plan: str) -> bool:
        """Whether cycles that *plan* governs are in it."""
        return self.plan is None or self.plan == plan


def plan_backfill(
    member: Member,
    plans: Plans,
    awards: Sequence[Award],
    backfill: Backfill,
    as_of: datetime,
) -> Posting:
    """
    Plan what *backfill* posts for *member*; *awards* are the renewals of its range.

    Boundaries never posted come from the oldest on, as a pass posts them; then what
    cycles on record are owed. Nothing is posted for a member who is not active. Errors
    are those of `plan_posting`.
    """
    draft = Draft(member)
    if status_at(member, as_of) is not Status.ACTIVE:
        return draft.finish()
    if backfill.concerns(member.plan):
        post_due(draft, plans, as_of, through=backfill.end)
        days = [entry.first_day for entry in draft.entries if entry.first_day]
        if not any(day >= backfill.start for day in days):
            # What is not posted yet lies before the range: the next pass's work.
            draft = Draft(member)
    _post_late(draft, plans, awards, backfill, as_of)
    return draft.finish()


def _post_late(
    draft: Draft,
    plans: Plans,
    awards: Sequence[Award],
    backfill: Backfill,
    as_of: datetime,
) -> None:
    """Post what cycles on record are owed, all of it into one lot of today."""
    at = max(as_of, draft.member.last_boundary_at or as_of)
    lot = None
    for award in awards:
        amount = 0
        if backfill.concerns(award.cycle.plan):
            amount = owed(award, plans, suspended=backfill.named)
        if amount:
            lot = lot or _issue_late(draft, plans, at)
            key, reason = award.cycle, backfill.reason
            draft.post(Kind.LATE_RENEWAL, amount, at, lot, renews=key, reason=reason)


def _issue_late(draft: Draft, plans: Plans, at: datetime) -> int:
    """Issue the allowance lot of the cycle that contains *at*."""
    member = draft.member
    calendar, n = member.calendar, member.cycle_n
    assert n is not None
    if at >= member.renews_at:
        # Boundaries wait that are not this backfill's: the ledger is behind *at*.
        n = calendar.number_at(at)
    rules = plans.first_known(member.plan, calendar.first_day(n))
    ends_at = allowance_ends_at(calendar, n, rules)
    return draft.issue(Source.ALLOWANCE, at, ends_at)
