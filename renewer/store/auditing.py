"""What is read in bulk: members with their awards for an audit, rows for an export."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from psycopg import sql
from psycopg.rows import DictRow

from renewer.rules.audit import Audited, Awarded
from renewer.rules.ledger import CycleName, Status
from renewer.store.connection import Database, stream
from renewer.store.queries import query


def find_audited(conn: Database, start: date, end: date) -> Iterator[Audited]:
    """
    Yield every member by member_id, with their awards from *start* to *end*.

    Needs an open transaction.
    """
    parameters = {"start": start, "end": end}
    for row in stream(conn, "audit/find_audited", parameters):
        yield _audited(row)


def _audited(row: DictRow) -> Audited:
    return Audited(
        member_id=row["member_id"],
        status=Status(row["status"]),
        plan=row["plan"],
        anchor_on=row["anchor_on"],
        timezone=row["timezone"],
        cycle_n=row["cycle_n"],
        first_boundary_on=row["first_boundary_on"],
        renews_at=row["renews_at"],
        awards=tuple(_awarded(*each) for each in row["awards"] or ()),
    )


def _awarded(
    first_day: str,
    anchor_on: str,
    cycle_n: int,
    plan: str,
    amount: int,
    reason: str | None,
    late: int | None,
    allowed: list[int] | None,
    posted_at: str,
    *run_ids: int | None,
) -> Awarded:
    """Return an award from its array, in the order of the query."""
    days = date.fromisoformat(first_day), date.fromisoformat(anchor_on)
    named = CycleName(*days, cycle_n, plan)
    at = datetime.fromisoformat(posted_at)
    return Awarded(named, amount, reason, late, tuple(allowed or ()), at, *run_ids)


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
