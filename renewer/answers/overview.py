"""
How the job is doing: the status document of the command line, the page and the API.

Everything comes from what is kept about the job: runs, the census, the index of due
members, workers, failures, verifications. No table of members is read whole.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from psycopg.rows import DictRow

from renewer.answers.health import Light, WorkerDocument, find_health
from renewer.rules.plans import Revision
from renewer.rules.value import value
from renewer.store import watch
from renewer.store.connection import Database
from renewer.store.members import find_next_due
from renewer.store.revisions import find_plans
from renewer.store.runs import RecordedFailure, find_causes, find_runs

SHOWN_FOR = timedelta(hours=48)
AHEAD = timedelta(hours=24)
HOUR = timedelta(hours=1)
MOST_WAITING = 10_000
"""Where counting of due, waiting and failing members stops."""
NOT_COUNTED: DictRow = {
    "taken_at": None, "members": [], "due": [], "without_rule": None,
}  # fmt: skip
"""What stands in place of a census before the first one."""
MOST_CAUSES = 1000
"""Failures grouped by cause; ten times as many would keep a page's reader waiting."""
MOST_RUNS = 1000
"""Passes that are looked at: far more than 48 hours have."""
ANNOUNCED = "announced"


@value
class RunDocument:
    """One pass of the job."""

    run_id: int
    trigger: str
    state: str
    catch_up: str
    reason: str | None
    as_of: datetime
    started_at: datetime
    seconds: float
    due: int
    renewed: int
    late: int
    expired: int
    applied: int
    skipped: int
    failed: int
    entries: int
    per_second: float


@value
class CauseDocument:
    """Why members fail: one cause, its members, and one of them as an example."""

    code: str
    plan: str | None
    timezone: str | None
    members: int
    parked: int
    example: str
    message: str
    first_failed_at: datetime
    next_try_at: datetime | None


@value
class FailureDocument:
    """Why a member could not be posted, and when it is tried again; null: parked."""

    member_id: str
    code: str
    error: str
    plan: str | None
    timezone: str | None
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    next_try_at: datetime | None
    parked: bool


@value
class FailuresDocument:
    """The members that failed: how many, and the first of them."""

    failed: int
    failures: list[FailureDocument]


@value
class CensusRow:
    """Members of one plan and status, as the last census counted them."""

    plan: str
    status: str
    members: int


@value
class UnruledDocument:
    """A member whose next boundary has no rule on record."""

    member_id: str
    plan: str
    renews_at: datetime


@value
class HourDue:
    """How many members become due within the hour that begins *at*."""

    at: datetime
    members: int


@value
class HourOfPasses:
    """What the passes that started within the hour from *at* did."""

    at: datetime
    passes: int
    announced: int
    renewed: int
    failed: int


@value
class AnnouncedDocument:
    """The passes over announced members, added up."""

    passes: int
    due: int
    renewed: int
    late: int
    expired: int
    applied: int
    skipped: int
    failed: int


@value
class VerificationDocument:
    """The last verification: *violations* it found, and when one last found none."""

    violations: int | None
    succeeded_at: datetime | None


@value
class StatusDocument:
    """How the job is doing: the document of `status --json` and of the first page."""

    as_of: datetime
    light: Light
    problems: list[str]
    lag_seconds: int
    oldest_due_at: datetime | None
    due: int
    requests: int
    failing: int
    failing_since: datetime | None
    parked: int
    parked_since: datetime | None
    last_pass_at: datetime | None
    running: bool
    next_pass_at: datetime
    next_due_at: datetime | None
    workers: list[WorkerDocument]
    census_at: datetime | None
    members: dict[str, int] | None
    members_by_plan: list[CensusRow]
    due_by_hour: list[HourDue]
    without_rule: int | None
    first_without_rule: list[UnruledDocument]
    causes: list[CauseDocument]
    runs: list[RunDocument]
    announced: AnnouncedDocument
    passes_by_hour: list[HourOfPasses]
    verification: VerificationDocument
    plans: list[Revision]


def find_status(conn: Database, as_of: datetime) -> StatusDocument:
    """
    Return the status document, in the snapshot that the caller has open.

    Counting of due and failing members and of requests stops at MOST_WAITING.
    """
    health = find_health(conn, as_of, MOST_WAITING)
    census = watch.find_census(conn) or NOT_COUNTED
    recent = [
        run
        for run in find_runs(conn, MOST_RUNS)
        if run["started_at"] > as_of - SHOWN_FOR
    ]
    return StatusDocument(
        as_of=as_of,
        light=health.light,
        problems=[problem.text for problem in health.problems],
        lag_seconds=health.backlog.lag_seconds,
        oldest_due_at=health.backlog.oldest_due_at,
        due=health.due,
        requests=health.requests,
        failing=health.backlog.failing,
        failing_since=health.backlog.failing_since,
        parked=health.backlog.parked,
        parked_since=health.backlog.parked_since,
        last_pass_at=health.passes.succeeded_at,
        running=health.passes.running,
        next_pass_at=_hour_of(as_of) + HOUR,
        next_due_at=find_next_due(conn, as_of),
        workers=health.workers,
        census_at=census["taken_at"],
        members=None if census is NOT_COUNTED else members_by_status(census),
        members_by_plan=[
            CensusRow(row["plan"], row["status"], row["members"])
            for row in census["members"]
        ],
        due_by_hour=due_by_hour(census, as_of),
        without_rule=census["without_rule"],
        first_without_rule=first_without_rule(census),
        causes=[CauseDocument(**row) for row in find_causes(conn, MOST_CAUSES)],
        runs=[run_document(run) for run in recent if run["trigger"] != ANNOUNCED],
        announced=sum_announced(recent),
        passes_by_hour=passes_by_hour(recent, as_of),
        verification=VerificationDocument(health.violations, health.verified_at),
        plans=find_plans(conn),
    )


def members_by_status(census: DictRow) -> dict[str, int]:
    """Return how many members of each status the census counted."""
    members: Counter[str] = Counter()
    for row in census["members"]:
        members[row["status"]] += row["members"]
    return dict(members)


def first_without_rule(census: DictRow) -> list[UnruledDocument]:
    """Return the members that fail next for want of a rule, first boundary first."""
    members = [
        UnruledDocument(
            each["member_id"], row["plan"], datetime.fromisoformat(each["renews_at"])
        )
        for row in census["members"]
        # A census of an older release has no such list.
        for each in row.get("first_without_rule", ())
    ]
    members.sort(key=attrgetter("renews_at", "member_id"))
    return members[: watch.MOST_NAMED]


def sum_announced(runs: Sequence[DictRow]) -> AnnouncedDocument:
    """Return how many passes ran for announced members, and the sum of their counts."""
    announced = [run for run in runs if run["trigger"] == ANNOUNCED]
    counts = [each.name for each in fields(AnnouncedDocument) if each.name != "passes"]
    return AnnouncedDocument(
        len(announced), **{name: sum(run[name] for run in announced) for name in counts}
    )


def due_by_hour(census: DictRow, now: datetime) -> list[HourDue]:
    """Return how many members become due in each of the next 24 hours."""
    hours = [
        HourDue(datetime.fromisoformat(row["at"]), row["members"])
        for row in census["due"]
    ]
    return [each for each in hours if now - HOUR < each.at < now + AHEAD]


def run_document(run: DictRow) -> RunDocument:
    """Return the document of a pass."""
    per_second = round(run["due"] / run["seconds"], 1) if run["seconds"] else 0.0
    return RunDocument(**run, per_second=per_second)


def passes_by_hour(runs: Sequence[DictRow], now: datetime) -> list[HourOfPasses]:
    """
    Return what the passes of each of the last 48 hours did.

    Announced passes are counted with the others, and by themselves.
    """
    first = _hour_of(now) - SHOWN_FOR + HOUR
    counts = ("passes", "announced", "renewed", "failed")
    hours = {
        first + HOUR * place: dict.fromkeys(counts, 0)
        for place in range(SHOWN_FOR // HOUR)
    }
    for run in runs:
        hour = hours.get(_hour_of(run["started_at"]))
        if hour is not None:
            hour["passes"] += 1
            hour["announced"] += run["trigger"] == ANNOUNCED
            hour["renewed"] += run["renewed"] + run["late"]
            hour["failed"] += run["failed"]
    return [HourOfPasses(at, **done) for at, done in hours.items()]


def failures_document(
    failed: int, failures: Sequence[RecordedFailure]
) -> FailuresDocument:
    """Return the document of the members that failed."""
    return FailuresDocument(failed, [_failure(each) for each in failures])


def _failure(each: RecordedFailure) -> FailureDocument:
    return FailureDocument(
        member_id=each.member_id,
        code=each.code,
        error=each.message,
        plan=each.plan,
        timezone=each.timezone,
        attempts=each.attempts,
        first_failed_at=each.first_failed_at,
        last_failed_at=each.last_failed_at,
        next_try_at=None if each.parked else each.retry_at,
        parked=each.parked,
    )


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def chart(hours: Sequence[Any], *names: str) -> list[tuple[Any, list[int]]]:
    """
    Return a bar for each of *hours*: the hour, and the heights of its fields *names*.

    The heights stand on each other, in percent of the highest bar.
    """
    totals = [sum(getattr(each, name) for name in names) for each in hours]
    scale = max([1, *totals])
    return [
        (each, [100 * getattr(each, name) // scale for name in names]) for each in hours
    ]
