"""The ledger as a feed: ticks that cut it into batches, events, and seals."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, scalar_row, tuple_row

from renewer.errors import UnknownCursor
from renewer.rules.value import value
from renewer.store.connection import Database, scalar
from renewer.store.queries import query

UNKNOWN_CURSOR = "RN008"
MOST_EVENTS = 10_000
"""Events that are read at a time, at the most."""
SEALS_AT_A_TIME = 1000
FIRST_HASH = bytes(32)
"""What the first seal goes on from."""


def may_tick(conn: Database) -> bool:
    """Whether this user may end batches of the feed."""
    may: bool = scalar(conn, "feed/may_tick", {})
    return may


def tick(conn: Database) -> int | None:
    """
    End a batch of the feed here; return its number.

    None when nothing was posted since the last one, or that is not a second ago.
    UnknownCursor when the ledger was moved to another server.
    """
    # A pooler's session may be of another isolation. Both go in one message, which is a
    # transaction: who dies in its midst leaves no lock that would end all ticking.
    names = ("feed/set_read_committed", "feed/tick")
    statements = sql.SQL("").join(sql.SQL(query(name)) for name in names)
    with _known_server(), conn.cursor(row_factory=scalar_row) as cur:
        cur.execute(statements)
        cur.nextset()
        number: int | None = cur.fetchone()
    return number


def find_holder(conn: Database) -> str | None:
    """Return who keeps the feed from going on, for a person; None when nobody does."""
    row = conn.execute(query("feed/find_holder")).fetchone()
    if row is None:
        return None
    if row["process"] is None:
        return "a prepared transaction"
    return f"process {row['process']} ({row['login']})"


def read_events(
    conn: Database, after: str | None, limit: int
) -> list[tuple[str, dict[str, Any]]]:
    """
    Return up to *limit* events behind the cursor *after*, each with its own cursor.

    UnknownCursor when the cursor is not known here.
    """
    parameters = {"after": after, "limit": limit}
    with _known_server(), conn.cursor(row_factory=tuple_row) as cur:
        return cur.execute(query("feed/read_events"), parameters).fetchall()


def read_installation(conn: Database) -> UUID:
    """Return what names this installation, wherever its database is."""
    installation: UUID = scalar(conn, "feed/read_installation", {})
    return installation


@contextmanager
def _known_server() -> Iterator[None]:
    """Tell of a cursor, or a ledger, that is not of this server."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate != UNKNOWN_CURSOR:
            raise
        raise UnknownCursor(error.diag.message_primary or "") from None


@value
class Mark:
    """
    A tick: what *snapshot* saw of a server whose ids are raised by *raised_by*.
    """

    number: int
    snapshot: str
    raised_by: int
    ticked_at: datetime


@value
class Seal:
    """The batch that *mark* ends: how many entries, and the hash of it and before."""

    mark: Mark
    entries: int
    hash: bytes

    @property
    def head(self) -> str:
        """Return what is to be kept elsewhere: number and hash."""
        return f"{self.mark.number}:{self.hash.hex()}"


def find_unsealed(conn: Database, before: Seal | None) -> Mark | None:
    """Return the first tick after the seal *before*; None when there is none."""
    parameters = {"after": _number(before)}
    row = conn.execute(query("feed/find_unsealed"), parameters).fetchone()
    return _mark(row) if row else None


def find_last_seal(conn: Database) -> Seal | None:
    """Return the last seal; None when nothing is sealed."""
    row = conn.execute(query("feed/find_last_seal")).fetchone()
    return _seal(row) if row else None


def find_seals(conn: Database) -> Iterator[Seal]:
    """Yield the seals in order; they are not all held."""
    after = 0
    while True:
        parameters = {"after": after, "limit": SEALS_AT_A_TIME}
        rows = conn.execute(query("feed/find_seals"), parameters).fetchall()
        yield from map(_seal, rows)
        if len(rows) < SEALS_AT_A_TIME:
            return
        after = rows[-1]["number"]


def seal_batch(conn: Database, before: Seal | None, mark: Mark) -> Seal:
    """
    Return the seal of the batch from the seal *before* to *mark*, as the ledger is now.

    Its hash is SHA-256 of the hash before and the batch's canonical form: a line an
    entry, as COPY writes it.
    """
    parameters: dict[str, Any] = {
        "target": mark.snapshot,
        "raised_by": mark.raised_by,
    }
    name = "feed/copy_first_batch"
    if before is not None:
        name = "feed/copy_batch"
        parameters["base"] = before.mark.snapshot
        parameters["base_raised_by"] = before.mark.raised_by
    rows = sql.SQL(query(name).rstrip().removesuffix(";"))
    statement = sql.SQL("COPY ({rows}) TO STDOUT (ENCODING 'UTF8')").format(rows=rows)
    hashed = hashlib.sha256(FIRST_HASH if before is None else before.hash)
    entries = 0
    with conn.transaction(), conn.cursor() as cur:
        # The first batch is the whole ledger: as long as it flows it may take its time.
        endless = {"name": "statement_timeout", "value": "0"}
        conn.execute(query("batches/set_local"), endless)
        with cur.copy(statement, parameters) as copy:
            for block in copy:
                hashed.update(block)
                # COPY writes a line break of a text as two other characters.
                entries += bytes(block).count(b"\n")
    return Seal(mark, entries, hashed.digest())


def record_seal(conn: Database, before: Seal | None, seal: Seal) -> bool:
    """
    Put a seal on record that goes on from *before*.

    False when *before* is the last one no more, because somebody else seals too.
    """
    mark = seal.mark
    parameters = {
        "number": mark.number,
        "snapshot": mark.snapshot,
        "raised_by": mark.raised_by,
        "ticked_at": mark.ticked_at,
        "entries": seal.entries,
        "hash": seal.hash,
        "before": _number(before),
    }
    try:
        with conn.transaction():
            conn.execute(query("feed/set_serializable"))
            return conn.execute(query("feed/record_seal"), parameters).rowcount == 1
    except psycopg.errors.SerializationFailure:
        # Two that go on from the same seal at once: the other one's is on record.
        return False


def _number(seal: Seal | None) -> int:
    return 0 if seal is None else seal.mark.number


def _mark(row: DictRow) -> Mark:
    return Mark(row["number"], row["snapshot"], row["raised_by"], row["ticked_at"])


def _seal(row: DictRow) -> Seal:
    return Seal(_mark(row), row["entries"], bytes(row["hash"]))
