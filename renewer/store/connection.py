"""
The connection to PostgreSQL and how it is read from.

It is autocommit, never prepares and knows no session state.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row, scalar_row
from psycopg.types.json import set_json_loads

from renewer.errors import DatabaseUnreachable, InputError
from renewer.store.queries import query

Database = Connection[DictRow]

CONNECT_TIMEOUT_S = 10
STREAM_ROWS = 5000
LEASE_CLASS = 0x52454E45
"""
First key of renewer's advisory locks ("RENE"), so that another application's do not
meet them.
"""


def connect(conninfo: str) -> Database:
    """
    Open a connection.

    DatabaseUnreachable, with the server's own words, when none answers.
    """
    try:
        # A pooler may hand the next statement to another server process: nothing is
        # prepared.
        conn = psycopg.connect(
            conninfo,
            autocommit=True,
            row_factory=dict_row,
            prepare_threshold=None,
            connect_timeout=CONNECT_TIMEOUT_S,
            fallback_application_name="renewer",
        )
    except psycopg.ProgrammingError as error:
        raise InputError(
            f"the database's address cannot be read: {one_line(error)}"
        ) from error
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(
            f"the database cannot be reached: {one_line(error)}"
        ) from error
    set_json_loads(orjson.loads, conn)
    return conn


def one_line(error: BaseException) -> str:
    """Return an error's message in one line."""
    return " ".join(str(error).split())


def scalar(conn: Database, name: str, parameters: dict[str, Any]) -> Any:
    """Return the one value of the one row query *name* returns."""
    with conn.cursor(row_factory=scalar_row) as cur:
        return cur.execute(query(name), parameters).fetchone()


def read_clock(conn: Database) -> datetime:
    """Return the database's clock, in UTC."""
    now: datetime = scalar(conn, "connection/read_clock", {})
    return now.astimezone(UTC)


@contextmanager
def snapshot(conn: Database) -> Iterator[None]:
    """Read everything inside as of one moment."""
    with conn.transaction():
        conn.execute(query("connection/set_snapshot"))
        yield


def stream(conn: Database, name: str) -> Iterator[DictRow]:
    """
    Yield the rows of query *name* without holding them all; needs an open transaction.
    """
    with conn.cursor(name) as cur:
        cur.itersize = STREAM_ROWS
        yield from cur.execute(query(name))
