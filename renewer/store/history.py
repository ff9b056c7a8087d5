"""What happened to a member: entries, awards, movements, calls."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from psycopg.rows import DictRow

from renewer.rules.cycle_history import Award
from renewer.rules.ledger import CycleKey
from renewer.rules.value import value
from renewer.store.connection import Database, statement
from renewer.store.queries import query

EVER = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""A time before and one after all that is on record."""

LAST_SEQ = 2**63 - 1
"""A number behind every entry."""


def find_statement(
    conn: Database,
    member_id: str,
    after: int = 0,
    since: datetime = EVER[0],
    until: datetime = EVER[1],
    before: int = LAST_SEQ,
) -> list[DictRow]:
    """
    Return a member's statement: occurred_at, what, amount, balance_after, reference.

    Only lines between the entries *after* and *before* that occurred from *since* to
    *until*.
    """
    parameters = {
        "member": member_id,
        "after": after,
        "before": before,
        "since": since,
        "until": until,
    }
    return conn.execute(query("history/find_statement"), parameters).fetchall()


def find_entries(
    conn: Database,
    member_id: str,
    since: datetime = EVER[0],
    until: datetime = EVER[1],
    before: int = LAST_SEQ,
    limit: int | None = None,
) -> list[DictRow]:
    """
    Return a member's entries that occurred from *since* to *until*, oldest first.

    Of those before entry *before* only the last *limit*, if that is given.
    """
    parameters = {
        "member": member_id,
        "since": since,
        "until": until,
        "before": before,
        "limit": limit,
    }
    return conn.execute(query("history/find_entries"), parameters).fetchall()


def find_awards(
    conn: Database,
    members: Sequence[str],
    start: date | None = None,
    end: date | None = None,
) -> dict[str, list[Award]]:
    """
    Return the renewals on record of each of *members*, oldest first.

    Only those of cycles that begin from *start* to *end*.
    """
    parameters = {"members": list(members), "start": start, "end": end}
    found: dict[str, list[Award]] = {member_id: [] for member_id in members}
    for row in conn.execute(statement(conn, "history/find_awards"), parameters):
        key = CycleKey(
            row["first_day"],
            row["last_day"],
            row["anchor_on"],
            row["cycle_n"],
            row["plan"],
        )
        award = Award(
            key,
            row["amount"],
            row["reason"],
            row["late"],
            row["posted_at"].astimezone(UTC),
            row["seq"],
            tuple(at.astimezone(UTC) for at in row["awarded_at"]),
        )
        found[row["member_id"]].append(award)
    return found


def find_movements(
    conn: Database, member_id: str, after: int, since: datetime
) -> list[DictRow]:
    """
    Return a member's movements that are worth telling, oldest first.

    These are bonuses from *since* on, refunds and adjustments behind entry *after*.
    """
    parameters = {"member": member_id, "after": after, "since": since}
    return conn.execute(query("history/find_movements"), parameters).fetchall()


def find_last_boundary(conn: Database, member_id: str) -> DictRow | None:
    """
    Return what of the ended cycle the last boundary posted carried and lost.

    None before the first.
    """
    return conn.execute(
        query("history/find_last_boundary"), {"member": member_id}
    ).fetchone()


@value
class Calls:
    """
    Since when a member has their present status, None for ever.

    And whether their plan ever changed at once.
    """

    status_since: datetime | None
    changed_plan: bool


def find_calls(conn: Database, member_id: str, as_of: datetime) -> Calls:
    """Return what the marketplace had asked for up to *as_of*."""
    row = conn.execute(
        query("history/find_calls"), {"member": member_id, "as_of": as_of}
    ).fetchone()
    assert row is not None
    since = row["status_since"]
    return Calls(since and since.astimezone(UTC), row["changed_plan"])
