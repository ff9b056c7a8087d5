"""
What becomes of a member's Connects as time passes: the one place that decides it.

Source of every rule here: DESIGN, section 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from renewer.rules import cycle
from renewer.rules.ledger import (
    WAITING,
    CatchUp,
    Change,
    ChangedDay,
    Kind,
    Lot,
    Member,
    Plans,
    Reason,
    Request,
    Revision,
    Source,
    Status,
)
from renewer.rules.posting import Draft, Posting


def plan_posting(member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH) -> Posting:
    """
    Plan all that *member* is due up to *as_of*, in the order of its time.

    At one instant a lot lapses before the boundary is posted, and a request is applied after it. PlanError and
    InputError when a plan or a zone cannot be resolved: the whole member fails, nothing is renewed by guess.
    """
    draft = Draft(member)
    post_due(draft, plans, as_of, catch_up)
    return finish(draft)


def post_due(
    draft: Draft, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH, through: date | None = None
) -> None:
    """Post all that is due up to *as_of* or, with *through*, to the last cycle that begins on that day or before."""
    released_at = None
    while True:
        request = _next_request(draft, as_of)
        until = as_of if request is None else request.at
        lapses_at = _next_lapse(draft.open_lots())
        if draft.status in WAITING:
            if request is None:
                break
            if apply_request(draft, plans, request):
                released_at = request.at
        elif lapses_at is not None and lapses_at <= min(draft.renews_at, until):
            _post_lapse(draft, lapses_at)
        elif draft.renews_at <= until:
            if through is not None and cycle.first_day(draft.anchor_on, next_cycle(draft)) > through:
                break
            each = catch_up is CatchUp.EACH or (released_at is not None and draft.renews_at <= released_at)
            _post_boundary(draft, plans, None if each else _horizon(draft, as_of))
        elif request is not None:
            apply_request(draft, plans, request)
        else:
            break


def finish(draft: Draft) -> Posting:
    """Return *draft* as one posting, due again when something is next to be posted."""
    return draft.finish(due_at(draft.status, draft.renews_at, draft.open_lots(), draft.requests))


def next_cycle(held: Member | Draft) -> int:
    """Return the number of the cycle the next boundary begins; of who enrolled, that of the time of it."""
    if held.cycle_n is None:
        return cycle.cycle_number(held.anchor_on, held.timezone, held.renews_at)
    return held.cycle_n + 1


def status_at(member: Member, as_of: datetime) -> Status:
    """Return the status *member* has at *as_of*, whether or not the request that set it was applied yet."""
    status = member.status
    for request in member.requests:
        if request.change is Change.STATUS and request.at <= as_of and status is not Status.CLOSED:
            status = Status(request.content["status"])
    return status


def due_at(
    status: Status, renews_at: datetime, open_lots: Sequence[Lot], requests: Sequence[Request] = ()
) -> datetime | None:
    """Return when something is next to be posted for a member; None while nothing will be."""
    times = [request.at for request in requests if status is not Status.UNDER_REVIEW or ends_review(request)]
    if status not in WAITING:
        lapses_at = _next_lapse(open_lots)
        times += [renews_at] if lapses_at is None else [renews_at, lapses_at]
    return min(times, default=None) if status is not Status.CLOSED else None


def ends_review(request: Request) -> bool:
    """Whether *request* is applied while a member is under review: all others wait for the end of it."""
    return request.change is Change.STATUS


def _next_request(draft: Draft, as_of: datetime) -> Request | None:
    """
    Return the oldest request that can be applied up to *as_of*.

    The boundary of an enrolment comes before any of them, even of one that is dated before it: clocks differ.
    """
    if draft.cycle_n is None and draft.status not in WAITING:
        return None
    for request in draft.requests:
        if request.at <= as_of and (draft.status is not Status.UNDER_REVIEW or ends_review(request)):
            return request
    return None


def _horizon(draft: Draft, as_of: datetime) -> datetime:
    """Return up to when the present anchor's boundaries come: a change of plan now begins a new series."""
    changes = [request.at for request in draft.requests if request.content.get("effective") == "now"]
    return min([as_of, *changes])


def _next_lapse(open_lots: Sequence[Lot]) -> datetime | None:
    return min((lot.expires_at for lot in open_lots if lot.expires_at), default=None)


def _post_lapse(draft: Draft, at: datetime) -> None:
    """Expire every lot whose own end is *at*."""
    for lot in draft.open_lots():
        if lot.expires_at == at:
            draft.post(Kind.EXPIRY, -draft.remaining[lot.number], at, lot.number, reason=Reason.LAPSED)


def _post_boundary(draft: Draft, plans: Plans, horizon: datetime | None) -> None:
    """
    Move the member to the next cycle: expire or carry what is left, then award.

    With a *horizon*, only the last boundary up to it is awarded. A member who enrolled has no cycle to end: theirs is
    the one that contains the time of it.
    """
    at = draft.renews_at
    n = next_cycle(draft)
    first_day = cycle.first_day(draft.anchor_on, n)
    if draft.cycle_n is None:
        draft.first_boundary_on = first_day
    draft.plan, draft.pending_plan = draft.pending_plan or draft.plan, None
    rules = plans.in_force(draft.plan, first_day)
    if draft.cycle_n is not None:
        _end_cycle(draft, rules, at)
    _begin_cycle(draft, n, at)
    if horizon is not None and draft.renews_at <= horizon and draft.status is not Status.SUSPENDED:
        draft.post(Kind.RENEWAL, 0, at, None, renews=draft.reached(first_day), reason=Reason.CAUGHT_UP)
    else:
        _award(draft, rules, rules.allowance, at, first_day)


def _begin_cycle(draft: Draft, n: int, at: datetime) -> None:
    """Move to cycle *n*, begun at *at*: it ends for every cycle-bound lot that did not end with the one before."""
    draft.cycle_n, draft.boundary_timezone, draft.changed = n, None, None
    draft.begin_cycle(at, cycle.boundary(draft.anchor_on, draft.timezone, n + 1))


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


def _award(
    draft: Draft, rules: Revision, amount: int, at: datetime, first_day: date, reason: Reason | None = None
) -> None:
    """Post the renewal of the cycle that begins at *at* into a lot of its own; one of 0 has no lot."""
    if draft.status is Status.SUSPENDED:
        amount, reason = 0, Reason.SUSPENDED
    lot = issue_allowance(draft, rules, at) if amount else None
    draft.post(Kind.RENEWAL, amount, at, lot, renews=draft.reached(first_day), reason=reason)


def issue_allowance(draft: Draft, rules: Revision, at: datetime) -> int:
    """Issue the allowance lot of the cycle reached and return its number."""
    assert draft.cycle_n is not None
    ends_at = allowance_ends_at(draft.anchor_on, draft.timezone, draft.cycle_n, rules)
    draft.allowance_lot = draft.issue(Source.ALLOWANCE, at, ends_at, draft.renews_at)
    return draft.allowance_lot


def allowance_ends_at(anchor_on: date, timezone: str, n: int, rules: Revision) -> datetime | None:
    """Return when an allowance of cycle *n* lapses; None when the plan sets no lifetime."""
    if rules.lifetime_months is None:
        return None
    return cycle.boundary(anchor_on, timezone, n + rules.lifetime_months)


def apply_request(draft: Draft, plans: Plans, request: Request) -> bool:
    """Apply *request* and return whether it ended a review."""
    posted = len(draft.entries)
    released = False
    if draft.status is Status.CLOSED:
        pass  # recorded before the end, applied after it: nothing changes any more
    elif request.change is Change.STATUS:
        released = draft.status is Status.UNDER_REVIEW
        draft.status = Status(request.content["status"])
    elif request.change is Change.TIMEZONE:
        _change_timezone(draft, request.content["timezone"])
    elif request.content["effective"] == "now":
        _change_plan_now(draft, plans, request)
    else:
        plan = request.content["plan"]
        draft.pending_plan = None if plan == draft.plan else plan
    draft.apply(request, draft.entries[posted:])
    return released


def _change_timezone(draft: Draft, timezone: str) -> None:
    """Move the boundaries after the next one; the next keeps its instant, and so the zone it was computed in."""
    if draft.cycle_n is not None and draft.boundary_timezone is None:
        draft.boundary_timezone = draft.timezone
    draft.timezone = timezone
    if draft.boundary_timezone == timezone:
        draft.boundary_timezone = None


def _change_plan_now(draft: Draft, plans: Plans, request: Request) -> None:
    """Begin a new cycle today under the new plan, with a credit for what is left of the old; unused Connects stay."""
    assert draft.cycle_n is not None
    effective_at = max(request.at, draft.last_boundary_at or request.at)
    first_day = cycle.first_day(draft.anchor_on, draft.cycle_n)
    # A zone further west may still have yesterday: a cycle never begins before the one that was reached.
    today = max(effective_at.astimezone(cycle.zone(draft.timezone)).date(), first_day)
    days = (cycle.first_day(draft.anchor_on, draft.cycle_n + 1) - first_day).days
    elapsed = min((today - first_day).days, days)
    old, new = plans.in_force(draft.plan, first_day), plans.in_force(request.content["plan"], today)
    assert draft.first_boundary_on is not None
    renewed_today = first_day == today and first_day >= draft.first_boundary_on
    renewed_at = draft.last_boundary_at if renewed_today else None
    day = ChangedDay(today, old.allowance, elapsed, days, 0, _lot_of_renewal(draft, renewed_at))
    if renewed_today and draft.changed is not None:
        day = draft.changed
    credit = 0 if draft.status is Status.SUSPENDED else day.owes(new.allowance)

    draft.plan, draft.pending_plan, draft.anchor_on = new.code, None, today
    draft.first_boundary_on = min(draft.first_boundary_on, today)
    _begin_cycle(draft, 0, renewed_at or effective_at)
    lot = day.lot
    if renewed_at is None:
        _award(draft, new, credit, request.at, today, Reason.PLAN_CHANGED)
        lot = draft.allowance_lot if credit else None
    elif credit:
        lot = lot or issue_allowance(draft, new, request.at)
        draft.post(Kind.ADJUSTMENT, credit, request.at, lot, reference=request.reference)
    draft.changed = replace(day, credited=day.credited + credit, lot=lot)


def _lot_of_renewal(draft: Draft, renewed_at: datetime | None) -> int | None:
    """Return the lot of the renewal posted at *renewed_at*; None when it was of 0. A late renewal has another."""
    same = (n for n, lot in draft.lots.items() if lot.source is Source.ALLOWANCE and lot.issued_at == renewed_at)
    return min(same, default=None)
