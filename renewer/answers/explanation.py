"""
The facts about one member: why their Connects renewed, or did not yet.

They are read in one snapshot and put beside what the job's own planner would do.
`headline` and `notes` put them into words, `documents` into JSON.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from psycopg.rows import DictRow

from renewer.answers.wording import CONNECTS, Word, local, usable_timezone
from renewer.errors import InputError, PlanError, RenewerError
from renewer.rules.boundary import next_cycle
from renewer.rules.calendar import LAST_DAY, Calendar, Cycle, local_day, starts_at
from renewer.rules.cycle_history import Award, CycleRecord, record_award
from renewer.rules.forecast import Forecast, beyond, forecast
from renewer.rules.ledger import CatchUp, Member, Reason, Status
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Boundary
from renewer.rules.value import value
from renewer.store.connection import Database, snapshot
from renewer.store.history import (
    Calls,
    find_awards,
    find_calls,
    find_last_boundary,
    find_movements,
)
from renewer.store.members import find_members
from renewer.store.revisions import find_plans
from renewer.store.runs import RecordedFailure, find_failures

RECENTLY = timedelta(days=1)
REMEMBERED = timedelta(days=31)
"""How long bonuses are worth a mention."""
YEAR = timedelta(days=366)


class Code(StrEnum):
    """What an explanation comes to."""

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
class RuleChange:
    """New rules of a plan, in force for the member from the cycle of *reaches_on*."""

    reaches_on: date
    before: Revision
    after: Revision


@value
class Problem:
    """
    Why a member cannot be renewed.

    *plan* or *timezone* is what could not be resolved, when that is why.
    """

    code: str
    message: str
    plan: str | None
    timezone: str | None


@value
class Outlook:
    """
    What the job's planner says about a member.

    *now* is what a pass would do at once, *ahead* the first boundary after that.
    *ahead_if_active* is the same boundary for a suspended member who is active again
    by then. When planning fails, *problem* says why, and what could not be planned is
    missing: *now* is then the member as on record.
    """

    now: Forecast
    ahead: Boundary | None
    ahead_if_active: Boundary | None
    problem: Problem | None


@value
class Explanation:
    """
    The facts about one member at *as_of*.

    *timezone* is the member's, or UTC when our system does not know theirs. *cycle* is
    the one the ledger has reached, *plan* the rules that govern it. Before the first
    award, *cycle* is the one that contains the enrolment. *pending_rules* are the rules
    of the plan that comes next. *awards* are the boundaries on record, *cycles* what
    each cycle brought. *last_boundary* is what the last one carried and lost.
    *movements* are the bonuses, refunds and adjustments worth a mention. *calls* are
    what the marketplace asked for before. *word* is what it calls its credits.
    """

    as_of: datetime
    code: Code
    member: Member
    timezone: str
    cycle: Cycle
    plan: Revision | None
    outlook: Outlook
    pending_rules: Revision | None
    awards: Sequence[Award]
    cycles: Sequence[CycleRecord]
    last_boundary: DictRow | None
    movements: Sequence[DictRow]
    rule_change: RuleChange | None
    failure: RecordedFailure | None
    calls: Calls
    word: Word

    @property
    def waiting(self) -> Sequence[Boundary]:
        """Return the boundaries and changes of plan a pass would post now."""
        return self.outlook.now.waiting

    @property
    def held_back(self) -> Sequence[Boundary]:
        """Return the boundaries that wait for the end of a review."""
        return self.outlook.now.held_back

    @property
    def settled(self) -> Member:
        """Return the member after the next pass."""
        return self.outlook.now.settled

    @property
    def released(self) -> Member:
        """Return the settled member, as if a review had ended now."""
        return self.outlook.now.released

    @property
    def ahead(self) -> Boundary | None:
        """Return the first boundary after those that wait; None when it is unknown."""
        return self.outlook.ahead

    @property
    def status(self) -> Status:
        """Return the status in force, whether or not the call for it was applied."""
        return self.settled.status

    @property
    def pending_plan(self) -> str | None:
        """Return the plan of the next cycle, when it is another."""
        # A request for it waits while a review goes on: it is pending all the same.
        return self.released.pending_plan

    @property
    def problem(self) -> Problem | None:
        """Return what keeps the member from being renewed; a recorded failure first."""
        if self.failure is None:
            return self.outlook.problem
        row = self.failure
        return Problem(row.code, row.message, row.plan, row.timezone)

    @property
    def upcoming(self) -> Boundary | None:
        """Return the next boundary not posted, due or not; a change of plan is none."""
        for each in (*self.waiting, *self.held_back):
            if each.reason != Reason.PLAN_CHANGED:
                return each
        return self.ahead

    @property
    def awards_at(self) -> datetime | None:
        """Return when the next boundary comes or came; None when nobody can say."""
        if self.status in (Status.CLOSED, Status.UNDER_REVIEW):
            return None
        return (
            self.member.renews_at if self.upcoming is None else self.upcoming.awards_at
        )

    @property
    def last_award(self) -> Award | None:
        """Return the last boundary on record; None before the first."""
        return self.awards[-1] if self.awards else None

    @property
    def last_cycle(self) -> CycleRecord | None:
        """Return what the last boundary on record brought; None before the first."""
        on_record = [each for each in self.cycles if each.is_posted]
        return on_record[-1] if on_record else None

    @property
    def today(self) -> date:
        """Return the member's day."""
        return self.local(self.as_of).date()

    def local(self, at: datetime) -> datetime:
        """Return an instant with the member's offset."""
        return local(at, self.timezone)


def find_explanation(
    conn: Database,
    member_id: str,
    as_of: datetime,
    catch_up: CatchUp,
    word: Word = CONNECTS,
) -> Explanation | None:
    """
    Return the facts about a member at *as_of*; None when nobody has that id.

    A pass with *catch_up* would act on them. InputError when *as_of* is before the
    cycle the ledger has reached: the past is in the statement.
    """
    with snapshot(conn):
        return read_explanation(conn, member_id, as_of, catch_up, word)


def read_explanation(
    conn: Database,
    member_id: str,
    as_of: datetime,
    catch_up: CatchUp,
    word: Word = CONNECTS,
) -> Explanation | None:
    """Return what `find_explanation` returns, in the snapshot the caller has open."""
    found = find_members(conn, [member_id])
    if not found:
        return None
    plans = Plans(find_plans(conn))
    awards = find_awards(conn, [member_id])[member_id]
    last_seq = awards[-1].seq if awards else 0
    movements = find_movements(conn, member_id, last_seq, as_of - REMEMBERED)
    last_boundary = find_last_boundary(conn, member_id)
    failures = find_failures(conn, 1, member_id)
    calls = find_calls(conn, member_id, as_of)
    member = _known_at(found[0], as_of)
    reached = _reached(member)
    _check_as_of(member, reached, as_of)
    failure = failures[0] if failures else None
    outlook = _look_ahead(member, plans, as_of, catch_up)
    code = _code(member, outlook.now.settled.status, failure, awards, reached, as_of)
    if code is Code.FAILED:
        # What a failing member gets is not known before somebody has mended it.
        outlook = replace(outlook, ahead=None, ahead_if_active=None)
    waiting = _waiting(member, code, plans, as_of, outlook)
    return Explanation(
        as_of=as_of,
        code=code,
        member=member,
        timezone=usable_timezone(member.timezone),
        cycle=reached,
        plan=_governing(member.plan, plans, reached.first_day),
        outlook=outlook,
        pending_rules=_pending_rules(outlook, plans),
        awards=awards,
        cycles=[*(record_award(award, plans) for award in awards), *waiting],
        last_boundary=last_boundary,
        movements=[row for row in movements if row["occurred_at"] <= as_of],
        rule_change=_rule_change(outlook.now.released, plans, reached),
        failure=failure,
        calls=calls,
        word=word,
    )


def _known_at(member: Member, as_of: datetime) -> Member:
    """Return *member* with the requests that had been made at *as_of*."""
    made = tuple(request for request in member.requests if request.at <= as_of)
    return replace(member, requests=made)


def _reached(member: Member) -> Cycle:
    """Return the cycle the ledger has reached, or that an enrolment lies in."""
    calendar, reached = _boundary_calendar(member), member.cycle
    if reached is None:
        return calendar.cycle(calendar.number_at(member.renews_at))
    began_at = starts_at(reached.first_day, calendar.timezone)
    return Cycle(reached.cycle_n, reached.first_day, reached.last_day, began_at)


def _boundary_calendar(member: Member) -> Calendar:
    """Return the calendar of the next boundary; in UTC when its zone is unknown."""
    timezone = usable_timezone(member.boundary_timezone or member.timezone)
    return Calendar(member.anchor_on, timezone)


def _check_as_of(member: Member, reached: Cycle, as_of: datetime) -> None:
    """Refuse an *as_of* before the present cycle began."""
    begun = member.last_boundary_at or reached.starts_at
    if member.cycle_n is None:
        begun = member.last_boundary_at or member.renews_at
    if as_of < begun:
        raise InputError(
            f"--as-of {as_of.isoformat()} is before {begun.isoformat()}, when the "
            f"present cycle of {member.member_id!r} began: `renewer history` has the "
            "past"
        )


def _code(
    member: Member,
    status: Status,
    failure: RecordedFailure | None,
    awards: Sequence[Award],
    reached: Cycle,
    as_of: datetime,
) -> Code:
    """Return what an explanation comes to: the first that applies."""
    if status is Status.CLOSED:
        return Code.CLOSED
    if failure is not None:
        return Code.FAILED
    if status in (Status.UNDER_REVIEW, Status.SUSPENDED):
        return Code(status.value)
    if member.renews_at <= as_of:
        return Code.WAITING_FOR_PASS
    if awards and _is_recent(awards[-1], as_of):
        return Code.RENEWED
    today = local_day(as_of, _boundary_calendar(member).timezone)
    return Code.LAST_DAY if today == reached.last_day else Code.NOT_DUE


def _is_recent(award: Award, as_of: datetime) -> bool:
    """Whether *award* occurred, or was written by a pass, within the last day."""
    return any(timedelta(0) <= as_of - at <= RECENTLY for at in award.awarded_at)


def _look_ahead(
    member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp
) -> Outlook:
    """Ask the job's planner what it would post now and what comes next."""
    now = Forecast((), member, (), member)
    ahead = if_active = problem = None
    try:
        now = forecast(member, plans, as_of, catch_up)
        ahead = next(beyond(now.released, plans), None)
        if now.settled.status is Status.SUSPENDED:
            active = replace(now.settled, status=Status.ACTIVE)
            if_active = next(beyond(active, plans), None)
    except Exception as error:
        # Whatever fails a member in a pass must not keep them from an answer.
        problem = _problem(error)
    return Outlook(now, ahead, if_active, problem)


def _problem(error: Exception) -> Problem:
    """Return what is wrong, with the fields of our own errors."""
    code, message = type(error).__name__, str(error) or repr(error)
    if isinstance(error, RenewerError):
        return Problem(code, message, error.plan, error.timezone)
    return Problem(code, message, None, None)


def _governing(code: str, plans: Plans, on: date) -> Revision | None:
    """Return the rules of plan *code* for a day, or its first; None if unknown."""
    try:
        return plans.first_known(code, on)
    except PlanError:
        return None


def _pending_rules(outlook: Outlook, plans: Plans) -> Revision | None:
    """Return the rules of the plan that begins with the next cycle."""
    pending = outlook.now.released.pending_plan
    if pending is None or outlook.ahead is None:
        return None
    return _governing(pending, plans, outlook.ahead.first_day)


def _waiting(
    member: Member, code: Code, plans: Plans, as_of: datetime, outlook: Outlook
) -> Iterator[CycleRecord]:
    """Yield the cycles that have begun and whose boundary is not posted."""
    failed = code is Code.FAILED
    for each in outlook.now.waiting:
        why = Code.FAILED if failed else each.reason or Code.WAITING_FOR_PASS
        yield _unposted(each, plans, str(why))
    for each in outlook.now.held_back:
        why = Code.FAILED if failed else each.reason or Code.UNDER_REVIEW
        yield _unposted(each, plans, str(why))
    unplanned = outlook.problem is not None and outlook.now.settled is member
    if unplanned and member.renews_at <= as_of and code is not Code.CLOSED:
        zoned = replace(member, timezone=usable_timezone(member.timezone))
        begun = zoned.calendar.cycle(next_cycle(zoned))
        is_own = code in (Code.FAILED, Code.UNDER_REVIEW)
        why = code if is_own else Code.WAITING_FOR_PASS
        days = begun.first_day, begun.last_day
        yield CycleRecord(member.plan, *days, None, None, reason=str(why))


def _unposted(boundary: Boundary, plans: Plans, reason: str) -> CycleRecord:
    """Return the cycle a boundary will begin, and what it should bring."""
    governing = _governing(boundary.plan, plans, boundary.first_day)
    expected = None if governing is None else governing.allowance
    if boundary.reason == Reason.PLAN_CHANGED:
        expected = boundary.allowance  # what was left of the old cycle, no allowance
    days = boundary.first_day, boundary.last_day
    return CycleRecord(boundary.plan, *days, expected, None, reason=reason)


def _rule_change(member: Member, plans: Plans, reached: Cycle) -> RuleChange | None:
    """Return the next rules of the member's plan that differ from the present ones."""
    present = reached.n if member.cycle_n is None else member.cycle_n
    calendar = Calendar(member.anchor_on, "UTC")
    begun = calendar.first_day(present)
    before = _governing(member.plan, plans, begun)
    if before is None:
        return None
    for revision in plans.after(member.plan, begun):
        if revision.effective_from >= LAST_DAY - YEAR:
            break
        n = max(calendar.number_on(revision.effective_from), present + 1)
        if calendar.first_day(n) < revision.effective_from:
            n += 1
        reaches_on = calendar.first_day(n)
        after = plans.in_force(member.plan, reaches_on)
        if after.rules != before.rules:
            return RuleChange(reaches_on, before, after)
    return None
