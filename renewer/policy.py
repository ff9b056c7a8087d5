"""
What becomes of a member's Connects as time passes: the one place that decides it.

Source of every rule here: DESIGN, section 3.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from renewer import cycle
from renewer.ledger import (
    WAITING,
    CatchUp,
    Draft,
    Kind,
    Lot,
    Member,
    Plans,
    Posting,
    Reason,
    Revision,
    Source,
    Status,
)


def plan_posting(member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH) -> Posting:
    """
    Plan all that *member* is due up to *as_of*, in the order of its time.

    At one instant a lot lapses before the boundary is posted. PlanError and InputError when a plan or a
    zone cannot be resolved: the whole member fails, nothing is renewed by guess.
    """
    draft = Draft(member)
    while member.status not in WAITING:
        lapses_at = _next_lapse(draft.open_lots())
        if lapses_at is not None and lapses_at <= min(draft.renews_at, as_of):
            _post_lapse(draft, lapses_at)
        elif draft.renews_at <= as_of:
            _post_boundary(draft, plans, as_of, catch_up)
        else:
            break
    return draft.finish(due_at(member.status, draft.renews_at, draft.open_lots()))


def due_at(status: Status, renews_at: datetime, open_lots: Sequence[Lot]) -> datetime | None:
    """Return when something is next to be posted for a member; None while nothing will be."""
    if status in WAITING:
        return None
    lapses_at = _next_lapse(open_lots)
    return renews_at if lapses_at is None else min(lapses_at, renews_at)


def _next_lapse(open_lots: Sequence[Lot]) -> datetime | None:
    return min((lot.expires_at for lot in open_lots if lot.expires_at), default=None)


def _post_lapse(draft: Draft, at: datetime) -> None:
    """Expire every lot whose own end is *at*."""
    for lot in draft.open_lots():
        if lot.expires_at == at:
            draft.post(Kind.EXPIRY, -draft.remaining[lot.number], at, lot.number, reason=Reason.LAPSED)


def _post_boundary(draft: Draft, plans: Plans, as_of: datetime, catch_up: CatchUp) -> None:
    """Move the member to the next cycle: expire or carry what is left, then award."""
    member, at, n = draft.member, draft.renews_at, draft.cycle_n + 1
    first_day = cycle.first_day(member.anchor_on, n)
    rules = plans.in_force(member.plan, first_day)
    next_at = cycle.boundary(member.anchor_on, member.timezone, n + 1)

    _end_cycle(draft, rules, at)
    draft.cycle_n, draft.renews_at = n, next_at
    if member.status is Status.SUSPENDED:
        draft.post(Kind.RENEWAL, 0, at, None, first_day=first_day, reason=Reason.SUSPENDED)
    elif catch_up is CatchUp.LATEST and next_at <= as_of:
        draft.post(Kind.RENEWAL, 0, at, None, first_day=first_day, reason=Reason.CAUGHT_UP)
    else:
        _award(draft, rules, at, first_day)


def _end_cycle(draft: Draft, rules: Revision, at: datetime) -> None:
    """Expire what the plan does not carry, oldest lot first, and move the rest into rollover lots."""
    ending = [lot for lot in draft.open_lots() if lot.cycle_bound and lot.issued_at < at]
    for number, lost in excess([(lot.number, draft.remaining[lot.number]) for lot in ending], rules.rollover_cap):
        draft.post(Kind.EXPIRY, -lost, at, number, reason=Reason.NOT_CARRIED)
    for lot in ending:
        carried = draft.remaining[lot.number]
        if carried and lot.source is not Source.ROLLOVER:
            rolled = draft.issue(Source.ROLLOVER, at, lot.expires_at)
            draft.post(Kind.ROLLOVER, -carried, at, lot.number)
            draft.post(Kind.ROLLOVER, carried, at, rolled)


def excess(lots: Sequence[tuple[int, int]], cap: int | None) -> Iterator[tuple[int, int]]:
    """
    Yield what *lots* (number and remainder) hold above *cap*, oldest lot first; no cap, no excess.

    Only cycle-bound lots belong here: bought Connects never end with a cycle.
    """
    over = 0 if cap is None else max(sum(remaining for _, remaining in lots) - cap, 0)
    for number, remaining in lots:
        lost = min(remaining, over)
        over -= lost
        if lost:
            yield number, lost


def _award(draft: Draft, rules: Revision, at: datetime, first_day: date) -> None:
    """Post the allowance of the cycle that begins at *at* into a lot of its own; an allowance of 0 has no lot."""
    lot = None
    if rules.allowance:
        ends_at = allowance_ends_at(draft.member, draft.cycle_n, rules)
        lot = draft.issue(Source.ALLOWANCE, at, ends_at)
    draft.post(Kind.RENEWAL, rules.allowance, at, lot, first_day=first_day)


def allowance_ends_at(member: Member, n: int, rules: Revision) -> datetime | None:
    """Return when the allowance of the member's cycle *n* lapses; None when the plan sets no lifetime."""
    if rules.lifetime_months is None:
        return None
    return cycle.boundary(member.anchor_on, member.timezone, n + rules.lifetime_months)
