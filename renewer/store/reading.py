"""
A small pool of connections that only read: each page is one snapshot, as renewer_read.

Needs the extra `web`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import ConnectionPool

from renewer.errors import InputError
from renewer.store.connection import (
    Database,
    connect_options,
    prepare_session,
    snapshot,
)
from renewer.store.queries import query
from renewer.store.revisions import find_plans

SIZE = 4
"""Connections at the most."""
MOST_WAITING = 16
"""Requests that may wait for a connection; more are refused at once."""
PATIENCE_S = 5.0
"""How long a request waits for a connection, and a page for an answer."""
STATEMENT_TIMEOUT = "3s"


class Reader:
    """Reads in snapshots, from connections that are opened when they are needed."""

    def __init__(self, conninfo: str, patience_s: float = PATIENCE_S) -> None:
        self._pool = ConnectionPool(
            conninfo,
            connection_class=Database,
            kwargs=connect_options(conninfo) | {"connect_timeout": 3},
            configure=_configure,
            check=ConnectionPool.check_connection,
            min_size=0,
            max_size=SIZE,
            max_waiting=MOST_WAITING,
            timeout=patience_s,
            # A server that comes back is found again by the next request.
            reconnect_timeout=PATIENCE_S,
            open=True,
            name="web",
        )

    @contextmanager
    def snapshot(self) -> Iterator[Database]:
        """Yield a connection that reads as of one moment and cannot write."""
        with self._pool.connection() as conn, snapshot(conn):
            become_reader(conn)
            yield conn

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()


def become_reader(conn: Database) -> None:
    """
    Read the rest of the transaction as renewer_read.

    A cluster's nodes are asked by who is logged in: there it is the login's own rights.
    """
    parameters = {"statement_timeout": STATEMENT_TIMEOUT}
    if conn.distributed:
        local = {"name": "statement_timeout", "value": STATEMENT_TIMEOUT}
        conn.execute(query("batches/set_local"), local)
        return
    conn.execute(query("reading/become_reader"), parameters)


def check_reader(conn: Database) -> None:
    """InputError, with the way out, when this user may not read as renewer_read."""
    try:
        with snapshot(conn):
            become_reader(conn)
            find_plans(conn)
    except psycopg.errors.InvalidParameterValue:
        raise InputError(
            "there is no role renewer_read: run `renewer migrate --roles`"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        if "schema" in str(error) or "table" in str(error):
            way_out = "run `renewer migrate --roles`"
        else:
            user = psycopg.sql.Identifier(conn.info.user).as_string()
            way_out = f"run GRANT renewer_read TO {user};"
        raise InputError(f"pages are read as renewer_read: {way_out}") from None


def _configure(conn: Database) -> None:
    conn.patience_s = PATIENCE_S
    prepare_session(conn)
