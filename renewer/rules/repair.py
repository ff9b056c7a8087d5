"""
What a backfill posts for one member.

Source of the rules: DESIGN, sections 1 and 6: a late renewal is at most one per member and boundary, ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from renewer.rules import cycle
from renewer.rules.awards import Award, owed
from renewer.rules.ledger import Kind, Member, Plans, Source, Status
from renewer.rules.policy import allowance_ends_at, finish, post_due, status_at
from renewer.rules.posting import Draft, Posting


@dataclass(frozen=True, slots=True)
class Repair:
    """
    Which cycles a backfill repairs: those whose first day lies between *start* and *end*, both included.

    With *plan* only cycles that plan governs. *reason* is recorded with what is made up for. *named* says that the
    members were named one by one: then what was withheld while they were suspended is owed, too.
    """

    start: date
    end: date
    plan: str | None = None
    reason: str | None = None
    named: bool = False


def plan_backfill(member: Member, plans: Plans, awards: Sequence[Award], repair: Repair, as_of: datetime) -> Posting:
    """
    Plan what *repair* posts for *member* at *as_of*; *awards* are the renewals of its range on record.

    Boundaries never posted come from the oldest on, as a pass posts them; then what cycles on record are owed. Nothing
    is posted for a member who is not active. Errors are those of `plan_posting`.
    """
    draft = Draft(member)
    if status_at(member, as_of) is not Status.ACTIVE:
        return finish(draft)
    if repair.plan in (None, member.plan):
        post_due(draft, plans, as_of, through=repair.end)
        if not any(entry.first_day and entry.first_day >= repair.start for entry in draft.entries):
            draft = Draft(member)  # what is not posted yet lies before the range: the next pass's work
    late = [
        (award, amount)
        for award in awards
        if repair.plan in (None, award.cycle.plan) and (amount := owed(award, plans, suspended=repair.named))
    ]
    if late:
        at = max(as_of, draft.last_boundary_at or as_of)
        lot = _issue_late(draft, plans, at)
        for award, amount in late:
            draft.post(Kind.LATE_RENEWAL, amount, at, lot, renews=award.cycle, reason=repair.reason)
    return finish(draft)


def _issue_late(draft: Draft, plans: Plans, at: datetime) -> int:
    """Issue one allowance lot of the cycle that contains *at* for all that is made up for."""
    assert draft.cycle_n is not None
    n = draft.cycle_n if at < draft.renews_at else cycle.cycle_number(draft.anchor_on, draft.timezone, at)
    rules = plans.first_known(draft.plan, cycle.first_day(draft.anchor_on, n))
    ends_at = allowance_ends_at(draft.anchor_on, draft.timezone, n, rules)
    draft.allowance_lot = draft.issue(Source.ALLOWANCE, at, ends_at, draft.renews_at)
    return draft.allowance_lot
