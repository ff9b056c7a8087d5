"""
Whether the job is well: one judgement, for every command, page, metric and alert.

Everything is read from one snapshot, and no table of members is read whole.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from psycopg.rows import DictRow

from renewer.answers.wording import age, escape, plural
from renewer.rules.value import value
from renewer.store import watch
from renewer.store.connection import Database, find_risky_settings
from renewer.store.feed import find_holder
from renewer.store.watch import Backlog, Passes

OVERDUE = timedelta(hours=2, minutes=10)
"""Two hourly passes were missed, and the third is ten minutes late."""
LATE = timedelta(hours=3)
"""A lag of more is too long: three hourly passes did not post the member."""
SILENT = timedelta(minutes=3)
"""A worker without a heartbeat for longer has stopped; it sends one each 30 s."""


class Light(StrEnum):
    """How the job is: in order, late, or failing until a person acts."""

    IN_ORDER = "in order"
    LATE = "late"
    FAILING = "failing"


@value
class HealthProblem:
    """One thing that is not well: a line for a person, and the light it sets."""

    light: Light
    text: str


@value
class WorkerDocument:
    """A worker on record; it is not *alive* when it stopped without signing out."""

    host: str
    process: int
    version: str
    hearing: bool
    started_at: datetime
    seen_at: datetime
    alive: bool


@value
class Health:
    """
    The state of the job at *as_of*.

    *due* counts due members, *requests* calls of the marketplace that wait for a pass.
    *violations* is the number found by the last verification, None before the first.
    """

    as_of: datetime
    backlog: Backlog
    passes: Passes
    due: int
    requests: int
    workers: list[WorkerDocument]
    violations: int | None
    verified_at: datetime | None
    problems: list[HealthProblem]

    @property
    def light(self) -> Light:
        """Return the worst light of all problems."""
        lights = {problem.light for problem in self.problems}
        if Light.FAILING in lights:
            return Light.FAILING
        return Light.LATE if lights else Light.IN_ORDER


def find_health(conn: Database, as_of: datetime, most: int = watch.MOST) -> Health:
    """
    Return the state of the job at *as_of*, in the snapshot that the caller has open.

    Up to *most* due members, requests and failing members are counted.
    """
    waiting = watch.count_waiting(conn, as_of, most)
    verification = watch.find_verification(conn)
    health = Health(
        as_of=as_of,
        backlog=watch.find_backlog(conn, as_of, most),
        passes=watch.find_passes(conn),
        due=waiting["due"],
        requests=waiting["requests"],
        workers=[_worker(row, as_of) for row in watch.find_workers(conn, as_of)],
        violations=verification["violations"],
        verified_at=verification["succeeded_at"],
        problems=[],
    )
    health.problems.extend(find_problems(health))
    risky = find_risky_settings(conn)
    if risky:
        text = f"commits may be lost: {', '.join(risky)}"
        health.problems.append(HealthProblem(Light.FAILING, text))
    holder = find_holder(conn)
    if holder is not None:
        text = f"the feed stands still: {holder} ticked in a transaction it leaves open"
        health.problems.append(HealthProblem(Light.FAILING, text))
    return health


def find_problems(health: Health) -> Iterator[HealthProblem]:
    """
    Yield what is not well by the readings of *health*.

    Without workers on record the job is judged by its passes alone: cron or a timer
    runs it.
    """
    yield from _find_delays(health)
    backlog = health.backlog
    for state, members, since in (
        ("failing", backlog.failing, backlog.failing_since),
        ("parked", backlog.parked, backlog.parked_since),
    ):
        if members:
            oldest = ""
            if since is not None:
                oldest = f", the oldest for {_age(health, since)}"
            text = f"{plural(members, 'member')} {state}{oldest}"
            yield HealthProblem(Light.FAILING, text)
    for worker in health.workers:
        if not worker.alive:
            text = (
                f"the worker on {escape(worker.host)}, process {worker.process}, "
                f"stopped without signing out {_age(health, worker.seen_at)} ago"
            )
            yield HealthProblem(Light.FAILING, text)
    if health.violations:
        found = plural(health.violations, "violation")
        yield HealthProblem(Light.FAILING, f"the last verification found {found}")


def _find_delays(health: Health) -> Iterator[HealthProblem]:
    succeeded_at = health.passes.succeeded_at
    if succeeded_at is None:
        yield HealthProblem(Light.LATE, "no pass has succeeded yet")
    elif health.as_of - succeeded_at > OVERDUE:
        ended = f"ended {_age(health, succeeded_at)} ago"
        yield HealthProblem(Light.LATE, f"the last pass that succeeded {ended}")
    if health.backlog.lag > LATE:
        waited = age(health.backlog.lag)
        yield HealthProblem(Light.LATE, f"a member has been due for {waited}")


def _age(health: Health, at: datetime) -> str:
    return age(health.as_of - at)


def _worker(row: DictRow, as_of: datetime) -> WorkerDocument:
    return WorkerDocument(
        host=row["host"],
        process=row["process"],
        version=row["version"],
        hearing=row["hearing"],
        started_at=row["started_at"],
        seen_at=row["seen_at"],
        alive=as_of - row["seen_at"] <= SILENT,
    )
