"""What tells whether the job is well, none of it read from all members."""

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.rows import DictRow

from renewer.errors import DatabaseUnreachable
from renewer.rules.value import value
from renewer.store.connection import (
    LEASE_CLASS,
    Database,
    read_clock,
    scalar,
    statement,
)
from renewer.store.queries import query

MOST = 100_000
"""Where counting stops: nobody acts differently on more."""
MOST_NAMED = 20
"""How many members without a rule a census names, of each status and plan."""
CENSUS_DUTY, VERIFICATION_DUTY = 100, 101
"""Second keys of advisory locks; buckets have 0 to 63."""


EVERYBODY = {"after": "", "until": None}
"""The stretch of all members."""


@value
class Backlog:
    """
    Members that wait for a pass at *as_of*, and members that failed in one.

    *oldest_due_at* is the earliest `due_at` among members that are neither failing nor
    parked, None when none of them is due. Failing members are retried with back-off;
    parked ones wait for a person. *failing_since* and *parked_since*: since when the
    longest-waiting of them would be due had it not failed. The counts stop at MOST.
    """

    as_of: datetime
    oldest_due_at: datetime | None
    failing: int
    failing_since: datetime | None
    parked: int
    parked_since: datetime | None

    @property
    def lag(self) -> timedelta:
        """Age of the oldest due member that is neither failing nor parked."""
        if self.oldest_due_at is None:
            return timedelta(0)
        return self.as_of - self.oldest_due_at

    @property
    def lag_seconds(self) -> int:
        """The lag as status, the pass log and the API show it."""
        return round(self.lag.total_seconds())


@value
class Passes:
    """
    State of the passes over all members.

    *succeeded_at*: end of the last finished pass. *began_at*: start of the oldest
    running pass, else of the last pass. None if there was no such pass.
    """

    succeeded_at: datetime | None
    running: bool
    began_at: datetime | None


def find_backlog(conn: Database, as_of: datetime, most: int = MOST) -> Backlog:
    """
    Return the backlog at *as_of*, with a few index probes.

    Up to *most* failing and parked members are counted, earliest boundary first.
    """
    row = _row(conn, "watch/find_backlog", {"as_of": as_of, "most": most})
    return Backlog(
        as_of,
        _utc(row["oldest_due_at"]),
        row["failing"],
        _utc(row["failing_since"]),
        row["parked"],
        _utc(row["parked_since"]),
    )


def find_passes(conn: Database) -> Passes:
    """Return the state of the passes over all members."""
    row = _row(conn, "watch/find_passes", {})
    return Passes(_utc(row["succeeded_at"]), row["running"], _utc(row["began_at"]))


def count_waiting(conn: Database, as_of: datetime, most: int = MOST) -> DictRow:
    """Return how many members are *due* and *requests* wait; each stops at *most*."""
    return _row(conn, "watch/count_waiting", {"as_of": as_of, "most": most})


def find_census(conn: Database) -> DictRow | None:
    """Return the last census: taken_at, members, due, without_rule."""
    return conn.execute(query("watch/find_census")).fetchone()


def find_verification(conn: Database) -> DictRow:
    """Return the *violations* of the last check, and when one *succeeded_at* last."""
    return _row(conn, "watch/find_verification", {})


def find_workers(conn: Database, as_of: datetime) -> list[DictRow]:
    """Return the workers that gave a sign of life within the day before *as_of*."""
    return conn.execute(query("watch/find_workers"), {"as_of": as_of}).fetchall()


def check_writable(conn: Database) -> None:
    """DatabaseUnreachable when the server may only be read from, for now."""
    if not scalar(conn, "connection/is_writable", {}):
        raise DatabaseUnreachable(
            "the database is read-only: wait for it, or use its primary"
        )


def take_census(
    conn: Database, older_than: timedelta, at: datetime | None = None
) -> bool:
    """
    Count the members as of *at*, by default now, when the last census is *older_than*.

    False when it is not, or another worker counts.
    """
    parameters = {
        "at": read_clock(conn) if at is None else at,
        "minutes": round(older_than / timedelta(minutes=1)),
        "most": MOST_NAMED,
    }
    with conn.transaction():
        if not _lease(conn, CENSUS_DUTY):
            return False
        taken = conn.execute(statement(conn, "watch/take_census"), parameters)
    return taken.rowcount > 0


def begin_verification(conn: Database, hours: int) -> int | None:
    """
    Record that a check of the invariants begins; return its number.

    None when one began within the last *hours*.
    """
    with conn.transaction():
        if not _lease(conn, VERIFICATION_DUTY):
            return None
        if scalar(conn, "watch/is_verified_lately", {"hours": hours}):
            return None
        number: int = scalar(conn, "watch/begin_verification", {})
    return number


def record_verification(
    conn: Database,
    verification_id: int,
    *,
    members: int,
    entries: int,
    violations: int,
    finished: bool,
) -> None:
    """Record what a check has looked at and found; *finished* ends it."""
    parameters = {
        "verification_id": verification_id,
        "members": members,
        "entries": entries,
        "violations": violations,
        "finished": finished,
    }
    conn.execute(query("watch/record_verification"), parameters)


def find_stretch(conn: Database, after: str, size: int) -> str | None:
    """Return the last of the next *size* members behind *after*; None: to the end."""
    parameters = {"after": after, "size": size}
    until: str | None = scalar(conn, "verification/find_stretch", parameters)
    return until


def count_looked_at(conn: Database, stretch: dict[str, Any]) -> DictRow:
    """Return how many *members* and *entries* lie in *stretch*: after, until."""
    return _row(conn, "verification/count_looked_at", stretch)


def may_record(conn: Database) -> bool:
    """Whether this user may record a check of the invariants."""
    allowed: bool = scalar(conn, "watch/may_record", {})
    return allowed


def sign_in(conn: Database, worker: dict[str, Any]) -> int:
    """Record that a worker is there; return its number."""
    worker_id: int = scalar(conn, "watch/sign_in", worker)
    return worker_id


def show_presence(conn: Database, worker_id: int, *, hearing: bool) -> bool:
    """Record a heartbeat; False when the worker's row was removed meanwhile."""
    parameters = {"worker_id": worker_id, "hearing": hearing}
    return conn.execute(query("watch/show_presence"), parameters).rowcount > 0


def sign_out(conn: Database, worker_id: int) -> None:
    """Take away the row of a worker that leaves."""
    conn.execute(query("watch/sign_out"), {"worker_id": worker_id})


def prune(conn: Database, days: int) -> None:
    """Forget what the job did more than *days* ago, and workers that died."""
    for name in (
        "watch/prune_runs",
        "watch/prune_censuses",
        "watch/prune_verifications",
    ):
        conn.execute(query(name), {"days": days})
    conn.execute(query("watch/prune_workers"))
    if not conn.distributed:
        # Over several nodes there is no feed, and so no tick.
        conn.execute(query("feed/thin_ticks"), {"days": days})


def _lease(conn: Database, duty: int) -> bool:
    parameters = {"lease_class": LEASE_CLASS, "duty": duty}
    leased: bool = scalar(conn, "watch/lease_duty", parameters)
    return leased


def _row(conn: Database, name: str, parameters: dict[str, Any]) -> DictRow:
    row = conn.execute(statement(conn, name), parameters).fetchone()
    assert row is not None
    return row


def _utc(at: datetime | None) -> datetime | None:
    return at and at.astimezone(UTC)
