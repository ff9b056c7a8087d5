"""
The facts about one member: why their Connects renewed, or did not yet.

They are read in one snapshot, beside a forecast by the job's own planner. `headline`
and `notes` put them into words, `documents` into JSON.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from psycopg.rows import DictRow

from renewer.answers.wording import CONNECTS, Word, local, usable_timezone
from renewer.errors import InputError, PlanError
from renewer.rules.boundary import next_cycle
from renewer.rules.calendar import Calendar, Cycle, local_day, starts_at
from renewer.rules.cycle_history import CycleRecord, record_award
from renewer.rules.forecast import Forecast, beyond, forecast
from renewer.rules.ledger import WAITING, CatchUp, Member, Reason, Status
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Boundary
from renewer.rules.value import value
from renewer.store import history, members, revisions, runs
from renewer.store.connection import Database

RECENTLY = timedelta(days=1)
REMEMBERED = timedelta(days=31)
"""Older bonuses are not mentioned."""


class Code(StrEnum):
    """Status code of an explanation."""

    UNKNOWN_MEMBER = "unknown_member"
    CLOSED = "closed"
    FAILED = "failed"
    UNDER_REVIEW = "under_review"
    SUSPENDED = "suspended"
    WAITING_FOR_PASS = "waiting_for_pass"  # noqa: S105 - a state, no password
    RENEWED = "renewed"
    LAST_DAY = "last_day"
    NOT_DUE = "not_due"


@value
class Problem:
    """Why a member cannot be renewed; *plan* or *timezone* could not be resolved."""

    code: str
    message: str
    plan: str | None
    timezone: str | None


@value
class Explanation:
    """
    The facts about one member at *as_of*.

    *timezone* is the member's, or UTC when our system does not know theirs. *cycle* is
    the one that the ledger has reached; before the first award, the one that contains
    the enrolment. *plan* are the rules that govern it.

    *waiting* are the boundaries and changes of plan that a pass would post now, and
    *held_back* those that wait for the end of a review. *settled* is the member after
    the first, *released* after both, active. *ahead* is the boundary that follows, and
    *ahead_if_active* the same for a suspended member that is active again by then; None
    when no boundary comes, or *problem* says why it is not known.

    *cycles* have begun, posted or not. *last_boundary* is what the last one carried and
    lost. *movements* are the bonuses, refunds and adjustments worth a mention. *word*
    is what the marketplace calls its credits.
    """

    as_of: datetime
    code: Code
    member: Member
    timezone: str
    cycle: Cycle
    plan: Revision | None
    plans: Plans
    waiting: Sequence[Boundary]
    held_back: Sequence[Boundary]
    settled: Member
    released: Member
    ahead: Boundary | None
    ahead_if_active: Boundary | None
    problem: Problem | runs.RecordedFailure | None
    cycles: Sequence[CycleRecord]
    last_boundary: DictRow | None
    movements: Sequence[DictRow]
    failure: runs.RecordedFailure | None
    calls: history.Calls
    word: Word

    @property
    def coming(self) -> Sequence[Boundary]:
        """Return the boundaries and changes of plan that have come, not posted yet."""
        return (*self.waiting, *self.held_back)

    @property
    def due(self) -> int:
        """Return how many Connects all that has come brings."""
        return sum(boundary.allowance for boundary in self.coming)

    @property
    def upcoming(self) -> Boundary | None:
        """Return the next boundary not posted, due or not; None: it is not known."""
        return next(iter(skip_changes(self.coming)), self.ahead)

    @property
    def lost(self) -> Mapping[int, int]:
        """Return how many Connects the next boundary's cap lets expire, by lot."""
        return {} if self.upcoming is None else self.upcoming.lost

    @property
    def awards_at(self) -> datetime | None:
        """Return the time of the next boundary; None while nothing can come."""
        if self.status in WAITING:
            return None
        upcoming = self.upcoming
        return self.member.renews_at if upcoming is None else upcoming.awards_at

    @property
    def status(self) -> Status:
        """Return the status in force, whether or not the call for it was applied."""
        return self.settled.status

    @property
    def pending_plan(self) -> str | None:
        """Return the plan that begins with the next cycle, when it is another."""
        # A request for it waits while a review goes on: it is pending all the same.
        return self.released.pending_plan

    @property
    def posted_cycles(self) -> Sequence[CycleRecord]:
        """Return the cycles whose renewal is on record, oldest first."""
        return [cycle for cycle in self.cycles if cycle.is_posted]

    @property
    def last_cycle(self) -> CycleRecord | None:
        """Return what the last boundary on record brought; None before the first."""
        return next(reversed(self.posted_cycles), None)

    @property
    def today(self) -> date:
        """Return the member's day."""
        return local(self.as_of, self.timezone).date()


def skip_changes(boundaries: Iterable[Boundary]) -> list[Boundary]:
    """Return *boundaries* without the changes of plan at once among them."""
    return [each for each in boundaries if each.reason != Reason.PLAN_CHANGED]


def find_explanation(
    conn: Database,
    member_id: str,
    as_of: datetime,
    catch_up: CatchUp,
    word: Word = CONNECTS,
) -> Explanation | None:
    """
    Return the facts about a member at *as_of*; None when no member has that id.

    They are read in the snapshot that the caller has open. The forecast is that of a
    pass with *catch_up*. InputError when *as_of* is before the cycle that the ledger
    has reached: the statement has the past.
    """
    on_record = members.find_members(conn, [member_id])
    if not on_record:
        return None
    plans = Plans(revisions.find_plans(conn))
    awards = history.find_awards(conn, [member_id])[member_id]
    last_seq = awards[-1].seq if awards else 0
    movements = history.find_movements(conn, member_id, last_seq, as_of - REMEMBERED)
    failure = next(iter(runs.find_failures(conn, 1, member_id)), None)
    # Later requests had not been made.
    requests = tuple(each for each in on_record[0].requests if each.at <= as_of)
    member = replace(on_record[0], requests=requests)
    reached = _reached(member)
    _check_as_of(member, reached, as_of)
    planned, ahead, if_active, problem = _look_ahead(member, plans, as_of, catch_up)
    if failure is not None:
        # What a failing member gets is not known before the cause is corrected.
        ahead = if_active = None
    now = planned or Forecast((), member, (), member)
    awarded_at = awards[-1].awarded_at if awards else ()
    code = _code(member, now.settled.status, failure, awarded_at, reached, as_of)
    return Explanation(
        as_of=as_of,
        code=code,
        member=member,
        timezone=usable_timezone(member.timezone),
        cycle=reached,
        plan=find_rules(plans, member.plan, reached.first_day),
        plans=plans,
        waiting=now.waiting,
        held_back=now.held_back,
        settled=now.settled,
        released=now.released,
        ahead=ahead,
        ahead_if_active=if_active,
        problem=failure or problem,
        cycles=[
            *(record_award(award, plans) for award in awards),
            *_find_unposted(member, planned, code, plans, as_of),
        ],
        last_boundary=history.find_last_boundary(conn, member_id),
        movements=[row for row in movements if row["occurred_at"] <= as_of],
        failure=failure,
        calls=history.find_calls(conn, member_id, as_of),
        word=word,
    )


def _reached(member: Member) -> Cycle:
    """Return the cycle that the ledger has reached, or that an enrolment lies in."""
    calendar, reached = _boundary_calendar(member), member.cycle
    if reached is None:
        return calendar.cycle(calendar.number_at(member.renews_at))
    began_at = starts_at(reached.first_day, calendar.timezone)
    return Cycle(reached.cycle_n, reached.first_day, reached.last_day, began_at)


def _boundary_calendar(member: Member) -> Calendar:
    """Return the calendar of the next boundary; in UTC when its zone is unknown."""
    timezone = usable_timezone(member.boundary_timezone or member.timezone)
    return member.calendar_from(member.anchor_on, timezone)


def _check_as_of(member: Member, reached: Cycle, as_of: datetime) -> None:
    """Refuse an *as_of* before the present cycle began."""
    began_at = reached.starts_at if member.cycle else member.renews_at
    begun = member.last_boundary_at or began_at
    if as_of < begun:
        raise InputError(
            f"--as-of {as_of.isoformat()} is before {begun.isoformat()}, when the "
            f"present cycle of {member.member_id!r} began: `renewer history` has the "
            "past"
        )


def _look_ahead(
    member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp
) -> tuple[Forecast | None, Boundary | None, Boundary | None, Problem | None]:
    """
    Return what a pass would post now, the first boundary after that, and the same
    boundary for a suspended member that is active again by then.

    None for what cannot be planned; last is the reason.
    """
    now = ahead = if_active = problem = None
    try:
        now = forecast(member, plans, as_of, catch_up)
        ahead = next(beyond(now.released, plans), None)
        if now.settled.status is Status.SUSPENDED:
            active = replace(now.settled, status=Status.ACTIVE)
            if_active = next(beyond(active, plans), None)
    except Exception as error:
        # Whatever fails a member in a pass must not keep them from an answer.
        problem = Problem(
            type(error).__name__,
            str(error) or repr(error),
            getattr(error, "plan", None),
            getattr(error, "timezone", None),
        )
    return now, ahead, if_active, problem


def _code(
    member: Member,
    status: Status,
    failure: runs.RecordedFailure | None,
    awarded_at: Sequence[datetime],
    reached: Cycle,
    as_of: datetime,
) -> Code:
    """
    Return the first status code that applies.

    *awarded_at* is when the last award occurred and when its passes acted.
    """
    if status is Status.CLOSED:
        return Code.CLOSED
    if failure is not None:
        return Code.FAILED
    if status in (Status.UNDER_REVIEW, Status.SUSPENDED):
        return Code(status.value)
    if member.renews_at <= as_of:
        return Code.WAITING_FOR_PASS
    if any(timedelta(0) <= as_of - at <= RECENTLY for at in awarded_at):
        return Code.RENEWED
    today = local_day(as_of, _boundary_calendar(member).timezone)
    return Code.LAST_DAY if today == reached.last_day else Code.NOT_DUE


def find_rules(plans: Plans, code: str, on: date) -> Revision | None:
    """Return the rules of a plan for a day, or its first ones; None if unknown."""
    try:
        return plans.first_known(code, on)
    except PlanError:
        return None


def _find_unposted(
    member: Member, planned: Forecast | None, code: Code, plans: Plans, as_of: datetime
) -> Iterator[CycleRecord]:
    """Yield the cycles that have begun and whose boundary is not posted."""
    if planned is not None:
        for boundary in planned.waiting:
            yield _unposted(boundary, plans, code, Code.WAITING_FOR_PASS)
        for boundary in planned.held_back:
            yield _unposted(boundary, plans, code, Code.UNDER_REVIEW)
    elif member.renews_at <= as_of and code is not Code.CLOSED:
        zoned = replace(member, timezone=usable_timezone(member.timezone))
        begun = zoned.calendar.cycle(next_cycle(zoned))
        is_own = code in (Code.FAILED, Code.UNDER_REVIEW)
        why = str(code if is_own else Code.WAITING_FOR_PASS)
        days = begun.first_day, begun.last_day
        yield CycleRecord(member.plan, *days, None, None, reason=why)


def _unposted(
    boundary: Boundary, plans: Plans, code: Code, waits_for: Code
) -> CycleRecord:
    """Return the cycle that a boundary will begin, and what it should bring."""
    expected = boundary.allowance
    if boundary.reason != Reason.PLAN_CHANGED:
        expected = plans.in_force(boundary.plan, boundary.first_day).allowance
    reason = str(boundary.reason or waits_for)
    if code is Code.FAILED:
        reason = str(code)
    days = boundary.first_day, boundary.last_day
    return CycleRecord(boundary.plan, *days, expected, None, reason=reason)
