"""What is on record: plans, members with their lots, entries."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow

from renewer.ledger import Change, ChangedDay, Lot, Member, Request, Revision, Source, Status
from renewer.queries import query
from renewer.store.connection import Database, scalar


def find_applied_migrations(conn: Database) -> list[str]:
    """Return the migrations the schema has seen; none when there is no schema."""
    try:
        return [row["migration_id"] for row in conn.execute(query("find_applied_migrations"))]
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []


def find_plans(conn: Database) -> list[Revision]:
    """Return every revision of every plan, by code, then date."""
    return [Revision(**row) for row in conn.execute(query("find_plans"))]


def add_plan(conn: Database, revision: Revision) -> bool:
    """Add *revision* unless its plan has one of that day; return whether it was added."""
    row = conn.execute(
        query("add_plan"),
        {
            "code": revision.code,
            "effective_from": revision.effective_from,
            "allowance": revision.allowance,
            "rollover_cap": revision.rollover_cap,
            "lifetime_months": revision.lifetime_months,
        },
    ).fetchone()
    return row is not None


def find_due_shards(conn: Database, as_of: datetime) -> list[int]:
    """Return the shards that hold a due member."""
    return [row["shard"] for row in conn.execute(query("find_due_shards"), {"as_of": as_of})]


def count_due(conn: Database, as_of: datetime, members: Sequence[str] | None) -> int:
    """Return how many members are due, of *members* or of all."""
    parameters = {"as_of": as_of, "members": None if members is None else list(members)}
    due: int = scalar(conn, "count_due_members", parameters)
    return due


@dataclass(frozen=True, slots=True)
class After:
    """Where the last batch of a shard ended; the next one starts behind it."""

    due_at: datetime = datetime(1, 1, 2, tzinfo=UTC)
    member_id: str = ""


def find_due(conn: Database, shard: int, as_of: datetime, after: After, limit: int) -> list[Member]:
    """Return up to *limit* due members of *shard* behind *after*, longest due first."""
    parameters = {
        "shard": shard,
        "as_of": as_of,
        "after_due_at": after.due_at,
        "after_member_id": after.member_id,
        "limit": limit,
    }
    return [_member(row) for row in conn.execute(query("find_due_members"), parameters)]


def find_members(conn: Database, members: Sequence[str]) -> list[Member]:
    """Return the named members that exist, by member_id."""
    return [_member(row) for row in conn.execute(query("find_members"), {"members": list(members)})]


def _member(row: DictRow) -> Member:
    lots = tuple(
        Lot(number, Source(source), remaining, _instant(issued_at), _optional(expires_at), _optional(cycle_ends_at))
        for number, source, remaining, issued_at, expires_at, cycle_ends_at in row["lots"] or ()
    )
    requests = tuple(
        Request(reference, Change(kind), content, _instant(at))
        for reference, kind, content, at in row["requests"] or ()
    )
    return Member(
        member_id=row["member_id"],
        plan=row["plan"],
        anchor_on=row["anchor_on"],
        timezone=row["timezone"],
        status=Status(row["status"]),
        balance=row["balance"],
        cycle_n=row["cycle_n"],
        renews_at=row["renews_at"].astimezone(UTC),
        due_at=row["due_at"] and row["due_at"].astimezone(UTC),
        last_seq=row["last_seq"],
        last_lot=row["last_lot"],
        version=row["version"],
        attempts=row["attempts"],
        lots=lots,
        first_boundary_on=row["first_boundary_on"],
        last_boundary_at=row["last_boundary_at"] and row["last_boundary_at"].astimezone(UTC),
        pending_plan=row["pending_plan"],
        boundary_timezone=row["boundary_timezone"],
        allowance_lot=row["allowance_lot"],
        changed=_changed_day(row["changed"]),
        requests=requests,
        called=row["called"],
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _optional(text: str | None) -> datetime | None:
    return None if text is None else _instant(text)


def _changed_day(stored: dict[str, Any] | None) -> ChangedDay | None:
    return None if stored is None else ChangedDay(**stored | {"on": date.fromisoformat(stored["on"])})


def find_statement(conn: Database, member_id: str, after: int = 0) -> list[DictRow]:
    """Return a member's statement behind entry *after*: occurred_at, what, amount, balance_after."""
    return conn.execute(query("find_statement"), {"member": member_id, "after": after}).fetchall()


def find_entries(conn: Database, member_id: str) -> Iterator[DictRow]:
    """Yield a member's entries, oldest first."""
    yield from conn.execute(query("find_entries"), {"member": member_id})
