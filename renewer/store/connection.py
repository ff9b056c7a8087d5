"""
The connection to PostgreSQL and how it is read from.

It is autocommit, never prepares, and waits for no answer for ever.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from typing import Any, LiteralString

import orjson
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row, scalar_row
from psycopg.types.json import set_json_loads

from renewer.errors import DatabaseUnreachable, InputError
from renewer.store.queries import has_spread, query
from renewer.store.secrets import hide_secrets

STREAM_ROWS = 5000
LEASE_CLASS = 0x52454E45
"""First key of renewer's advisory locks ("RENE"): no other application's meet them."""

STOP_GRACE_S = 15.0
"""How long an answer is waited for once a process has been asked to stop."""

DEFAULTS: dict[str, Any] = {
    "connect_timeout": 10,
    # A peer that is gone without a word is noticed within a minute, by the system.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "client_encoding": "UTF8",
    "fallback_application_name": "renewer",
}
"""What an address that does not say otherwise is connected with."""

SERVER_TROUBLE = ("08", "25", "40", "53", "55P03", "57", "58")
"""
How SQLSTATEs begin that mean trouble of the server, for which no member is to blame.

Connection, transaction state (read-only after a failover, sessions ended by a timeout),
deadlock, resources, a lock not had in time, operator intervention, system.
"""


class Database(psycopg.Connection[DictRow]):
    """
    A connection that gives up a server that does not answer.

    A peer that is gone may keep a socket open for ever: no timeout of the server helps
    then. After *patience_s*, or STOP_GRACE_S after *stop* was set, the connection is
    closed and an OperationalError raised.

    It knows whether the database *has_citus*, and whether members are *distributed*
    over nodes by it.
    """

    patience_s: float | None = None
    stop: Event | None = None
    has_citus: bool = False
    distributed: bool = False
    _stop_seen: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **more: Any) -> Any:
        """Wait for what *gen* asks the server, but not for ever."""
        return super().wait(self._bounded(gen), *args, **more)

    def _bounded(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Pass on what *gen* waits for; psycopg comes back ten times a second."""
        began = time.monotonic()
        try:
            asked = next(gen)
            while True:
                answer = yield asked
                self._lose_patience(began)
                asked = gen.send(answer)
        except StopIteration as done:
            return done.value

    def _lose_patience(self, began: float) -> None:
        now = time.monotonic()
        if self.stop is not None and self.stop.is_set():
            self._stop_seen = self._stop_seen or now
            if now - self._stop_seen > STOP_GRACE_S:
                self._give_up(now - began)
        if self.patience_s is not None and now - began > self.patience_s:
            self._give_up(now - began)

    def _give_up(self, waited_s: float) -> None:
        self.pgconn.finish()
        raise psycopg.OperationalError(
            f"no answer from the server for {waited_s:.0f} s: it is given up"
        )


def connect(
    conninfo: str, *, patience_s: float | None = None, stop: Event | None = None
) -> Database:
    """
    Open a connection, which waits up to *patience_s* for each answer.

    Once *stop* is set it waits for none much longer. DatabaseUnreachable when no server
    answers, InputError when the address or a setting of the role cannot be used.
    """
    try:
        conn = Database.connect(conninfo, **connect_options(conninfo))
    except psycopg.Error as error:
        told = hide_secrets(one_line(error), conninfo)
        raise DatabaseUnreachable(f"the database cannot be reached: {told}") from None
    conn.patience_s, conn.stop = patience_s, stop
    try:
        prepare_session(conn)
    except psycopg.Error as error:
        conn.close()
        told = hide_secrets(one_line(error), conninfo)
        raise DatabaseUnreachable(f"the database cannot be reached: {told}") from None
    return conn


def connect_options(conninfo: str) -> dict[str, Any]:
    """
    Return what a connection is opened with besides its address.

    InputError when the address cannot be read.
    """
    try:
        named = conninfo_to_dict(conninfo)
    except (psycopg.ProgrammingError, UnicodeError):
        # The driver's words would show the address, and so perhaps a password.
        raise InputError(
            "the database's address cannot be read: give a URL such as "
            "postgresql://user@host/database, or key=value pairs"
        ) from None
    missing = {name: value for name, value in DEFAULTS.items() if name not in named}
    # A pooler may hand the next statement to another server process: nothing is
    # prepared.
    ours = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": None}
    return ours | missing


def prepare_session(conn: Database) -> None:
    """Make a new connection behave the same, whatever role and database have set."""
    conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    set_json_loads(orjson.loads, conn)
    _pin(conn)


def _pin(conn: Database) -> None:
    """
    Make the session independent of what role and database have set.

    Through a pooler nothing may be set: it would stay with the server's session, which
    another client gets next. Then what could not be read is refused.
    """
    backend = conn.execute(query("connection/read_backend")).fetchone()
    assert backend is not None
    conn.has_citus = backend["citus"]
    if conn.has_citus:
        conn.distributed = scalar(conn, "cluster/is_distributed", {})
    if backend["pid"] == conn.info.backend_pid:
        timeout = f"{int((conn.patience_s or 0) * 1000)}ms"
        conn.execute(query("connection/pin_session"), {"statement_timeout": timeout})
        return
    style = conn.info.parameter_status("DateStyle") or ""
    if not style.startswith("ISO"):
        conn.close()
        raise InputError(
            f"DateStyle is {style!r}, and a pooler stands between, where nothing can "
            "be set: ALTER ROLE … SET DateStyle TO 'ISO' for the user of this address"
        )
    before = scalar(conn, "connection/find_foreign_schema", {})
    if before is not None:
        # Whoever may create there could make types and operators that ours would use.
        conn.close()
        raise InputError(
            f"search_path has {before} before pg_catalog, and a pooler stands between, "
            "where nothing can be set: ALTER ROLE … SET search_path without pg_catalog "
            "for the user of this address"
        )


def is_server_trouble(error: BaseException) -> bool:
    """
    Whether *error* is trouble of the server that passes: nothing was wrong with a call.

    An error of the connection has no SQLSTATE; nor has an answer nobody asked for, as
    a pooler gives that lost count.
    """
    if isinstance(error, DatabaseUnreachable):
        return True
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return type(error) is psycopg.DatabaseError or isinstance(
            error, psycopg.OperationalError | psycopg.InternalError
        )
    return error.sqlstate.startswith(SERVER_TROUBLE)


def one_line(error: BaseException) -> str:
    """Return an error's message in one line."""
    return " ".join(str(error).split())


def statement(conn: Database, name: str) -> LiteralString:
    """
    Return the statement *name*, in the form this database runs.

    A cluster refuses some statements that one server runs best.
    """
    return query(f"cluster/{name}" if conn.distributed and has_spread(name) else name)


def scalar(conn: Database, name: str, parameters: dict[str, Any]) -> Any:
    """Return the one value of the one row query *name* returns."""
    with conn.cursor(row_factory=scalar_row) as cur:
        return cur.execute(statement(conn, name), parameters).fetchone()


def read_clock(conn: Database) -> datetime:
    """Return the database's clock, in UTC."""
    now: datetime = scalar(conn, "connection/read_clock", {})
    return now.astimezone(UTC)


def find_risky_settings(conn: Database) -> list[str]:
    """Return the settings with which what was acknowledged may be lost in a crash."""
    rows = conn.execute(query("connection/find_risky_settings"))
    return [row["setting"] for row in rows]


def may_post(conn: Database) -> bool:
    """Whether this login may run passes."""
    allowed: bool = scalar(conn, "connection/may_post", {})
    return allowed


@contextmanager
def snapshot(conn: Database) -> Iterator[None]:
    """Read everything inside as of one moment."""
    with conn.transaction():
        conn.execute(query("connection/set_snapshot"))
        yield


def stream(
    conn: Database, name: str, parameters: dict[str, Any] | None = None
) -> Iterator[DictRow]:
    """Yield the rows of query *name* without holding them all.

    Needs an open transaction.
    """
    with conn.cursor(name.replace("/", "_")) as cur:
        cur.itersize = STREAM_ROWS
        yield from cur.execute(statement(conn, name), parameters)
