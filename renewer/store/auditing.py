"""Bulk reads: members with their awards for an audit, rows for an export."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from psycopg import sql

from renewer.rules.cycle_history import Award
from renewer.rules.ledger import Member
from renewer.store.connection import Database, stream
from renewer.store.members import read_cycle, read_member
from renewer.store.queries import query


def find_audited(
    conn: Database, start: date, end: date
) -> Iterator[tuple[Member, list[Award]]]:
    """
    Yield every member by member_id, with the awards of cycles from *start* to *end*.

    The award before the range and the one after it are included. Lots and requests are
    not read. Needs an open transaction.
    """
    parameters = {"start": start, "end": end}
    for row in stream(conn, "audit/find_audited", parameters):
        awards = [_award(*award) for award in row["awards"] or ()]
        yield read_member(row), awards


def _award(
    cycle: list[Any],
    amount: int,
    reason: str | None,
    late: int | None,
    allowed: list[int] | None,
    posted_at: str,
    *run_ids: int | None,
) -> Award:
    """Return an award from its array, in the order of the query."""
    run_id, late_run_id = run_ids
    return Award(
        read_cycle(*cycle),
        amount,
        reason,
        late,
        datetime.fromisoformat(posted_at),
        allowed=tuple(allowed or ()),
        run_id=run_id,
        late_run_id=late_run_id,
    )


EXPORTS = {
    "entries": "exporting/entries",
    "members": "exporting/members",
    "lots": "exporting/lots",
}
FORMATS = {
    "csv": sql.SQL("COPY ({rows}) TO STDOUT (FORMAT csv, HEADER)"),
    # JSON holds no control characters: nothing is quoted, nothing is escaped.
    "jsonl": sql.SQL(
        "COPY (SELECT pg_catalog.row_to_json(r) FROM ({rows}) AS r) "
        "TO STDOUT (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')"
    ),
}
"""How rows are written: with a header, or one JSON object a line."""


def copy_rows(
    conn: Database, what: str, form: str, since: datetime | None
) -> Iterator[bytes]:
    """
    Yield *what*, one of EXPORTS, in blocks, in *form*, one of FORMATS.

    Only what changed from *since* on. Nothing is held.
    """
    # COPY takes the statement without its semicolon.
    rows = sql.SQL(query(EXPORTS[what]).rstrip().removesuffix(";"))
    parameters: dict[str, Any] = {"since": since}
    with (
        conn.cursor() as cur,
        cur.copy(FORMATS[form].format(rows=rows), parameters) as copy,
    ):
        for block in copy:
            yield bytes(block)
