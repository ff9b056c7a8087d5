"""
What a boundary and the end of a lot do: where both are decided.

In README's words: what is unused is carried up to a cap, the rest expires, and the new
allowance is awarded. Bought Connects are never touched by a boundary.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from renewer.rules.calendar import Calendar
from renewer.rules.draft import Draft
from renewer.rules.ledger import (
    CycleKey,
    Kind,
    Lot,
    Member,
    Reason,
    Source,
    Status,
)
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Boundary


def next_cycle(member: Member) -> int:
    """
    Return the number of the cycle that the next boundary begins.

    For a member that enrolled and was not awarded yet it is the cycle that contains the
    enrolment.
    """
    if member.cycle_n is None:
        return member.calendar.number_at(member.renews_at)
    return member.cycle_n + 1


def expected_boundary(member: Member) -> datetime:
    """
    Return the next boundary by the calendar, in the zone it was computed in.

    Before the first award it is the time of the enrolment. Errors are those of the
    calendar.
    """
    if member.cycle_n is None:
        return member.renews_at
    zone = member.boundary_timezone or member.timezone
    return member.calendar_from(member.anchor_on, zone).boundary(member.cycle_n + 1)


def post_lapses(draft: Draft, until: datetime) -> None:
    """Expire what is left in each lot whose own end comes up to *until*."""
    while (lapse := draft.next_lapse()) is not None and lapse[0] <= until:
        at, number = lapse
        amount = -draft.remaining(number)
        draft.post(Kind.EXPIRY, amount, at, number, reason=Reason.LAPSED)


def post_boundary(draft: Draft, plans: Plans, horizon: datetime | None) -> None:
    """
    Move the member to the next cycle: expire or carry what is left, then award.

    The plan of the cycle that begins governs all of it, its cap included. With a
    *horizon*, only the last boundary up to it is awarded. PlanError when no
    rules govern the cycle that begins.
    """
    member, at = draft.member, draft.member.renews_at
    calendar, n = member.calendar, next_cycle(member)
    first_day = calendar.first_day(n)
    plan = member.pending_plan or member.plan
    rules = plans.in_force(plan, first_day)
    lost: dict[int, int] = {}
    first_boundary_on = member.first_boundary_on
    if member.cycle_n is None:
        # An enrolment has no cycle to end: its first boundary is its own time.
        first_boundary_on = first_day
    else:
        lost = _end_cycle(draft, rules, at)
    draft.change(
        plan=plan,
        pending_plan=None,
        cycle_n=n,
        cycle_first_day=first_day,
        cycle_last_day=calendar.last_day(n),
        first_boundary_on=first_boundary_on,
        last_boundary_at=at,
        cycle_ended_at=at,
        renews_at=calendar.boundary(n + 1),
        boundary_timezone=None,
        changed=None,
    )
    if horizon is not None and draft.member.renews_at <= horizon:
        # Another boundary comes up to the horizon: this is not the last one.
        award(draft, rules, 0, at, Reason.CAUGHT_UP, lost)
    else:
        award(draft, rules, rules.allowance, at, None, lost)


def _end_cycle(draft: Draft, rules: Revision, at: datetime) -> dict[int, int]:
    """
    Expire what the plan of the next cycle does not carry, and roll over the rest.

    *rules* are that plan's. Return what expired, by lot. What was issued at the
    boundary or later belongs to the cycle that begins; what rolled over before stays
    where it is.
    """
    ending = [lot for lot in draft.open_lots() if _ends_at(lot, at)]
    held = [(lot.number, draft.remaining(lot.number)) for lot in ending]
    lost = dict(find_excess(held, rules.rollover_cap))
    for number, amount in lost.items():
        draft.post(Kind.EXPIRY, -amount, at, number, reason=Reason.NOT_CARRIED)
    for lot in ending:
        carried = draft.remaining(lot.number)
        if carried and lot.source is not Source.ROLLOVER:
            rolled = draft.issue(Source.ROLLOVER, at, lot.expires_at)
            draft.post(Kind.ROLLOVER, -carried, at, lot.number)
            draft.post(Kind.ROLLOVER, carried, at, rolled)
    return lost


def _ends_at(lot: Lot, at: datetime) -> bool:
    """Whether a boundary at *at* ends the cycle of *lot*."""
    return lot.cycle_bound and lot.issued_at < at


def find_excess(
    lots: Sequence[tuple[int, int]], cap: int | None
) -> Iterator[tuple[int, int]]:
    """
    Yield what *lots* (number and remainder) hold above *cap*, oldest lot first.

    No cap, no excess. Only cycle-bound lots belong here: bought Connects never end with
    a cycle.
    """
    if cap is None:
        return
    excess = max(sum(remaining for _, remaining in lots) - cap, 0)
    for number, remaining in lots:
        lost = min(remaining, excess)
        excess -= lost
        if lost:
            yield number, lost


def award(
    draft: Draft,
    rules: Revision,
    amount: int,
    at: datetime,
    reason: Reason | None,
    lost: dict[int, int],
) -> None:
    """
    Post the renewal of the cycle reached, which begins at *at*.

    A suspended member gets 0, whatever *amount* is. The Connects go into a lot of
    their own; a renewal of 0 has no lot. *lost* is what
    the boundary did not carry.
    """
    member, key = draft.member, draft.member.cycle
    assert key is not None
    if member.status is Status.SUSPENDED:
        amount, reason = 0, Reason.SUSPENDED
    lot = issue_allowance(draft, rules, at) if amount else None
    draft.post(Kind.RENEWAL, amount, at, lot, renews=key, reason=reason)
    if draft.on_boundary is not None:
        draft.on_boundary(_describe_boundary(draft, key, amount, at, reason, lost))


def _describe_boundary(
    draft: Draft,
    key: CycleKey,
    allowance: int,
    at: datetime,
    reason: Reason | None,
    lost: dict[int, int],
) -> Boundary:
    """Return what was posted at the boundary just awarded."""
    return Boundary(
        n=key.cycle_n,
        first_day=key.first_day,
        last_day=key.last_day,
        awards_at=at,
        plan=key.plan,
        allowance=allowance,
        reason=reason,
        carried=_find_carried(draft, at),
        lost=lost,
        expiring=draft.take_expired(),
        balance_after=draft.balance,
    )


def _find_carried(draft: Draft, at: datetime) -> int:
    """Return what is unused of the cycles before *at* and stays."""
    carried = 0
    for lot in draft.open_lots():
        if lot.source is Source.ROLLOVER or _ends_at(lot, at):
            carried += draft.remaining(lot.number)
    return carried


def issue_allowance(draft: Draft, rules: Revision, at: datetime) -> int:
    """Issue the allowance lot of the cycle reached and return its number."""
    member = draft.member
    assert member.cycle_n is not None
    ends_at = allowance_ends_at(member.calendar, member.cycle_n, rules)
    return draft.issue(Source.ALLOWANCE, at, ends_at)


def allowance_ends_at(calendar: Calendar, n: int, rules: Revision) -> datetime | None:
    """Return when an allowance of cycle *n* lapses; None without a lifetime."""
    if rules.lifetime_months is None:
        return None
    return calendar.boundary(n + rules.lifetime_months)
