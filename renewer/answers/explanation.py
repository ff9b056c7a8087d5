"""
Why a member's Connects renewed, or did not yet: the facts, read in one snapshot and put beside the job's own plans.

`sentence` puts them into words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from typing import TypedDict
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow

from renewer import store
from renewer.errors import InputError, PlanError
from renewer.rules import cycle
from renewer.rules.awards import Award, PastCycle, past_cycles
from renewer.rules.boundary import next_cycle
from renewer.rules.cycle import Cycle
from renewer.rules.forecast import beyond, forecast
from renewer.rules.ledger import CatchUp, Change, Member, Reason, Status
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Boundary
from renewer.rules.requests import status_at

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


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Rules of the member's plan that come into force on *effective_from* and reach them with a cycle's first day."""

    reaches_on: date
    before: Revision
    after: Revision


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    The facts about one member at *as_of*.

    *cycle* is the one the ledger has reached (of who enrolled and was not awarded yet, the one that holds their
    enrolment), *plan* the revision that governs it. *posts* are the boundaries a pass would post now, changes of plan
    included, *held_back* what waits for the end of a review, *settled* the member after that pass, *ahead* the first
    boundary after *as_of*, *moves* the one at which *pending_plan* begins. None of these when planning fails: then
    *problem* says why. *awards* are the boundaries on record, *cycles* what each cycle brought, *boundary* what the
    last one carried, *movements* what of bonuses, refunds and adjustments is worth a mention, *calls* what the
    marketplace asked for before.
    """

    as_of: datetime
    code: Code
    member: Member
    status: Status
    timezone: str
    cycle: Cycle
    plan: Revision | None
    pending_plan: str | None
    pending_rules: Revision | None
    waiting: Sequence[Boundary]
    held_back: Sequence[Boundary]
    ahead: Boundary | None
    moves: Boundary | None
    settled: Member
    problem: str | None
    awards: Sequence[Award]
    cycles: Sequence[PastCycle]
    boundary: DictRow | None
    movements: Sequence[DictRow]
    rule_change: RuleChange | None
    failure: store.RecordedFailure | None
    calls: store.Calls

    @property
    def upcoming(self) -> Boundary | None:
        """Return the next boundary not posted, due or not; a change of plan that waits is none."""
        waiting = [each for each in (*self.waiting, *self.held_back) if each.reason != Reason.PLAN_CHANGED]
        return waiting[0] if waiting else self.ahead

    @property
    def awards_at(self) -> datetime | None:
        """Return when the next boundary not posted comes or came; None when none will be posted."""
        if self.upcoming is not None:
            return self.upcoming.awards_at
        return None if self.status is Status.CLOSED else self.member.renews_at

    @property
    def last_award(self) -> Award | None:
        """Return the last boundary on record; None before the first."""
        return self.awards[-1] if self.awards else None


def find_explanation(conn: store.Database, member_id: str, as_of: datetime, catch_up: CatchUp) -> Explanation | None:
    """
    Return the facts about a member at *as_of*, as a pass with *catch_up* would act on them; None for a stranger.

    InputError when *as_of* is before the cycle the ledger has reached: the past is in the statement.
    """
    with store.snapshot(conn):
        found = store.find_members(conn, [member_id])
        if not found:
            return None
        plans = Plans(store.find_plans(conn))
        awards = store.find_awards(conn, [member_id])[member_id]
        boundary = store.find_last_boundary(conn, member_id)
        movements = store.find_movements(conn, member_id, awards[-1].seq if awards else 0, as_of - REMEMBERED)
        failures = store.find_failures(conn, 1, member_id)
        calls = store.find_calls(conn, member_id, as_of)
    member = replace(found[0], requests=tuple(each for each in found[0].requests if each.at <= as_of))
    reached = _reached(member)
    _check_as_of(member, reached, as_of)
    status = status_at(member, as_of)
    failure = failures[0] if failures else None
    code = _code(member, status, failure, awards, reached, as_of)
    pending = pending_plan(member)
    planned = _plan_ahead(member, plans, as_of, catch_up, pending)
    return Explanation(
        as_of=as_of,
        code=code,
        member=member,
        status=status,
        timezone=member.timezone if member.timezone in cycle.timezones() else "UTC",
        cycle=reached,
        plan=_governing(member.plan, plans, reached.first_day),
        pending_plan=pending,
        pending_rules=_governing(pending, plans, reached.last_day) if pending else None,
        **planned,
        awards=awards,
        cycles=[*past_cycles(awards, plans), *_waiting(member, code, plans, as_of, planned)],
        boundary=boundary,
        movements=[row for row in movements if row["occurred_at"] <= as_of],
        rule_change=_rule_change(member, plans, reached),
        failure=failure,
        calls=calls,
    )


def _reached(member: Member) -> Cycle:
    """Return the cycle the ledger has reached, or that an enrolment lies in."""
    n = next_cycle(member) if member.cycle_n is None else member.cycle_n
    return cycle.cycle(member.anchor_on, _boundary_zone(member).key, n)


def _check_as_of(member: Member, reached: Cycle, as_of: datetime) -> None:
    begun = member.last_boundary_at or (member.renews_at if member.cycle_n is None else reached.starts_at)
    if as_of < begun:
        raise InputError(
            f"--as-of {as_of.isoformat()} is before {begun.isoformat()}, when the present cycle of "
            f"{member.member_id!r} began: `renewer history` has the past"
        )


def _code(
    member: Member,
    status: Status,
    failure: store.RecordedFailure | None,
    awards: Sequence[Award],
    reached: Cycle,
    as_of: datetime,
) -> Code:
    """Return what an explanation comes to: the first that applies."""
    if status is Status.CLOSED:
        return Code.CLOSED
    if failure is not None:
        return Code.FAILED
    if status is Status.UNDER_REVIEW:
        return Code.UNDER_REVIEW
    if status is Status.SUSPENDED:
        return Code.SUSPENDED
    if member.renews_at <= as_of:
        return Code.WAITING_FOR_PASS
    if awards and any(timedelta(0) <= as_of - at <= RECENTLY for at in awards[-1].awarded_at):
        return Code.RENEWED
    return Code.LAST_DAY if as_of.astimezone(_boundary_zone(member)).date() == reached.last_day else Code.NOT_DUE


def _boundary_zone(member: Member) -> ZoneInfo:
    """Return the zone the next boundary was computed in; UTC for an unknown one."""
    name = member.boundary_timezone or member.timezone
    return cycle.zone(name if name in cycle.timezones() else "UTC")


class Planned(TypedDict):
    """What of an explanation the job's planner says."""

    waiting: Sequence[Boundary]
    held_back: Sequence[Boundary]
    ahead: Boundary | None
    moves: Boundary | None
    settled: Member
    problem: str | None


def _plan_ahead(member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp, pending: str | None) -> Planned:
    """Ask the job's planner what it would post now, what comes next, and the boundary that *moves* to *pending*."""
    try:
        now = forecast(member, plans, as_of, catch_up)
        coming = list(islice(beyond(now.released, plans), 1))
        ahead = coming[0] if coming else None
        moves = next((each for each in (*now.waiting, *now.held_back, *coming) if each.plan == pending), None)
        return Planned(
            waiting=now.waiting, held_back=now.held_back, ahead=ahead, moves=moves, settled=now.settled, problem=None
        )
    except Exception as error:  # whatever fails a member in a pass must not keep them from an answer
        return Planned(
            waiting=(), held_back=(), ahead=None, moves=None, settled=member, problem=str(error) or repr(error)
        )


def _governing(code: str, plans: Plans, day: date) -> Revision | None:
    """Return the rules of plan *code* for *day*, or its first; None for an unknown plan."""
    try:
        return plans.first_known(code, day)
    except PlanError:
        return None


def pending_plan(member: Member) -> str | None:
    """Return the plan of the next cycle when it is another, whether or not the request for it was applied yet."""
    plan, pending = member.plan, member.pending_plan
    for request in member.requests:
        if request.change is Change.PLAN:
            wanted = request.content["plan"]
            if request.content["effective"] == "now":
                plan, pending = wanted, None
            else:
                pending = None if wanted == plan else wanted
    return pending


def _waiting(member: Member, code: Code, plans: Plans, as_of: datetime, planned: Planned) -> Iterator[PastCycle]:
    """Yield the cycles that have begun and whose boundary is not posted."""
    for foreseen, why in (
        *((each, Code.WAITING_FOR_PASS) for each in planned["waiting"]),
        *((each, Code.UNDER_REVIEW) for each in planned["held_back"]),
    ):
        governing = _governing(foreseen.plan, plans, foreseen.first_day)
        due = None if governing is None else governing.allowance
        if foreseen.reason == Reason.PLAN_CHANGED:
            due = foreseen.allowance
        reason = Code.FAILED if code is Code.FAILED else foreseen.reason or why
        yield PastCycle(foreseen.first_day, foreseen.last_day, due, 0, str(reason), posted=False)
    if planned["problem"] and member.renews_at <= as_of and code is not Code.CLOSED:
        n = next_cycle(member)
        first_day, last_day = cycle.first_day(member.anchor_on, n), cycle.last_day(member.anchor_on, n)
        reason = code if code in (Code.FAILED, Code.UNDER_REVIEW) else Code.WAITING_FOR_PASS
        yield PastCycle(first_day, last_day, None, 0, str(reason), posted=False)


def _rule_change(member: Member, plans: Plans, reached: Cycle) -> RuleChange | None:
    """Return the next rules of the member's plan that differ from those of the present cycle."""
    before = _governing(member.plan, plans, reached.first_day)
    if before is None:
        return None
    for revision in plans.after(member.plan, reached.first_day):
        if revision.effective_from >= cycle.LAST_DAY - YEAR:
            break
        noon = datetime.combine(revision.effective_from, time(12), UTC)
        n = max(cycle.cycle_number(member.anchor_on, "UTC", noon), reached.n + 1)
        n += cycle.first_day(member.anchor_on, n) < revision.effective_from
        after = plans.in_force(member.plan, cycle.first_day(member.anchor_on, n))
        if rules(after) != rules(before):
            return RuleChange(cycle.first_day(member.anchor_on, n), before, after)
    return None


def rules(revision: Revision) -> tuple[int, int | None, int | None]:
    """Return what a revision rules, its name and date aside."""
    return revision.allowance, revision.rollover_cap, revision.lifetime_months
