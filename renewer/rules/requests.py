"""What a request of the marketplace changes of a member."""

from dataclasses import replace
from datetime import date, datetime

from renewer.rules.boundary import award, issue_allowance
from renewer.rules.calendar import local_day
from renewer.rules.draft import Draft
from renewer.rules.ledger import (
    WAITING,
    Change,
    ChangedDay,
    Kind,
    Member,
    Reason,
    Request,
    Status,
)
from renewer.rules.plans import Plans


def next_request(member: Member, as_of: datetime) -> Request | None:
    """
    Return the oldest request that can be applied up to *as_of*.

    The award of an enrolment comes before any of them, also before one that is dated
    earlier: clocks differ.
    """
    if member.cycle_n is None and member.status not in WAITING:
        return None
    for request in member.requests:
        if request.at <= as_of and member.can_apply(request):
            return request
    return None


def status_at(member: Member, as_of: datetime) -> Status:
    """Return the status at *as_of*, whether or not the request for it was applied."""
    status = member.status
    for request in member.requests:
        asked = request.change is Change.STATUS and request.at <= as_of
        if asked and status is not Status.CLOSED:
            status = Status(request.content["status"])
    return status


def apply_request(draft: Draft, plans: Plans, request: Request) -> bool:
    """Apply *request*; return whether it changed the status of one under review."""
    posted = len(draft.entries)
    member, content = draft.member, request.content
    released = False
    if member.status is Status.CLOSED:
        pass  # recorded before the closing, applied after it: nothing changes any more
    elif request.change is Change.STATUS:
        released = member.status is Status.UNDER_REVIEW
        draft.change(status=Status(content["status"]))
    elif request.change is Change.TIMEZONE:
        _change_timezone(draft, content["timezone"])
    elif content["effective"] == "now":
        _change_plan_now(draft, plans, request)
    else:
        # Asking for the plan one has cancels a change that was pending.
        pending = None if content["plan"] == member.plan else content["plan"]
        draft.change(pending_plan=pending)
    draft.apply(request, draft.entries[posted:])
    return released


def _change_timezone(draft: Draft, timezone: str) -> None:
    """
    Move the boundaries after the next one.

    The next one keeps its instant, and so the zone it was computed in is remembered.
    """
    member = draft.member
    computed_in = member.boundary_timezone
    if member.cycle_n is not None and computed_in is None:
        computed_in = member.timezone
    if computed_in == timezone:
        computed_in = None
    draft.change(timezone=timezone, boundary_timezone=computed_in)


def _change_plan_now(draft: Draft, plans: Plans, request: Request) -> None:
    """Begin a new cycle today under the new plan; unused Connects stay."""
    member = draft.member
    assert member.first_boundary_on is not None
    effective_at = max(request.at, member.last_boundary_at or request.at)
    first_day, today = _find_days(member, effective_at)
    new = plans.in_force(request.content["plan"], today)

    # A renewal of today that was posted already stays: then its lot gets the credit.
    renewed_at = None
    if first_day == today and first_day >= member.first_boundary_on:
        renewed_at = member.last_boundary_at
    day = _reckon_day(draft, plans, first_day, today, renewed_at)
    credit = 0
    if member.status is not Status.SUSPENDED:
        credit = prorate(day, new.allowance)

    calendar = member.calendar_from(today, member.timezone)
    draft.change(
        plan=new.code,
        pending_plan=None,
        anchor_on=today,
        cycle_n=0,
        cycle_first_day=today,
        cycle_last_day=calendar.last_day(0),
        first_boundary_on=min(member.first_boundary_on, today),
        last_boundary_at=renewed_at or effective_at,
        renews_at=calendar.boundary(1),
        boundary_timezone=None,
    )
    lot = day.lot
    if renewed_at is None:
        award(draft, new, credit, request.at, Reason.PLAN_CHANGED, {})
        lot = draft.entries[-1].lot
    elif credit:
        lot = lot or issue_allowance(draft, new, request.at)
        draft.post(
            Kind.ADJUSTMENT, credit, request.at, lot, reference=request.reference
        )
    draft.change(changed=replace(day, credited=day.credited + credit, lot=lot))


def _find_days(member: Member, at: datetime) -> tuple[date, date]:
    """
    Return the first day of the present cycle, and the member's day at *at*.

    A zone further west may still have yesterday: a cycle never begins before the one
    that was reached.
    """
    first_day = member.cycle_first_day
    assert first_day is not None
    return first_day, max(local_day(at, member.timezone), first_day)


def _reckon_day(
    draft: Draft,
    plans: Plans,
    first_day: date,
    today: date,
    renewed_at: datetime | None,
) -> ChangedDay:
    """Return the reckoning all plan changes of *today* share: on record, or new."""
    member = draft.member
    if renewed_at is not None and member.changed is not None:
        return member.changed
    assert member.cycle_last_day is not None
    # An imported cycle may be older than the first rules of its plan.
    old = plans.first_known(member.plan, first_day)
    days = (member.cycle_last_day - first_day).days + 1
    # A zone further east may have reached the day after the cycle's last.
    elapsed = min((today - first_day).days, days)
    lot = draft.find_allowance_lot(renewed_at)
    return ChangedDay(today, old.allowance, elapsed, days, 0, lot)


def prorate(day: ChangedDay, allowance: int) -> int:
    """
    Return what a change to a plan of *allowance* still brings on *day*.

    (new − old) + old × elapsed days ÷ days in the cycle, rounded down, at least 0, less
    what the day credited already: changing back and forth earns nothing.
    """
    used = day.allowance * day.elapsed // day.days
    return max(allowance - day.allowance + used - day.credited, 0)
