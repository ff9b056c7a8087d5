"""What is on record: plans, members with their lots, entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow

from renewer.rules.awards import Award
from renewer.rules.ledger import Change, ChangedDay, CycleName, Lot, Member, Request, Revision, Source, Status
from renewer.store.connection import Database, scalar
from renewer.store.queries import query


def find_applied_migrations(conn: Database) -> list[str]:
    """Return the migrations the schema has seen; none when there is no schema."""
    try:
        return [row["migration_id"] for row in conn.execute(query("migrations/find_applied_migrations"))]
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []


def find_plans(conn: Database) -> list[Revision]:
    """Return every revision of every plan, by code, then date."""
    return [Revision(**row) for row in conn.execute(query("plans/find_plans"))]


def add_plan(conn: Database, revision: Revision) -> bool:
    """Add *revision* unless its plan has one of that day; return whether it was added."""
    row = conn.execute(
        query("plans/add_plan"),
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
    return [row["shard"] for row in conn.execute(query("members/find_due_shards"), {"as_of": as_of})]


def count_due(conn: Database, as_of: datetime, members: Sequence[str] | None) -> int:
    """Return how many members are due, of *members* or of all."""
    parameters = {"as_of": as_of, "members": None if members is None else list(members)}
    due: int = scalar(conn, "members/count_due_members", parameters)
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
    return [_member(row) for row in conn.execute(query("members/find_due_members"), parameters)]


def find_members(conn: Database, members: Sequence[str]) -> list[Member]:
    """Return the named members that exist, by member_id."""
    return [_member(row) for row in conn.execute(query("members/find_members"), {"members": list(members)})]


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


EVER = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""A time before and one after all that is on record."""


def find_statement(
    conn: Database, member_id: str, after: int = 0, since: datetime = EVER[0], until: datetime = EVER[1]
) -> list[DictRow]:
    """
    Return a member's statement: occurred_at, what, amount, balance_after, reference.

    Only lines behind entry *after* that occurred from *since* to *until*.
    """
    parameters = {"member": member_id, "after": after, "since": since, "until": until}
    return conn.execute(query("history/find_statement"), parameters).fetchall()


def find_entries(conn: Database, member_id: str, since: datetime = EVER[0], until: datetime = EVER[1]) -> list[DictRow]:
    """Return a member's entries that occurred from *since* to *until*, oldest first."""
    return conn.execute(query("history/find_entries"), {"member": member_id, "since": since, "until": until}).fetchall()


def find_awards(
    conn: Database, members: Sequence[str], start: date | None = None, end: date | None = None
) -> dict[str, list[Award]]:
    """Return the renewals on record of each of *members*, oldest first, of cycles that begin from *start* to *end*."""
    parameters = {"members": list(members), "start": start, "end": end}
    found: dict[str, list[Award]] = {member_id: [] for member_id in members}
    for row in conn.execute(query("history/find_awards"), parameters):
        named = CycleName(row["first_day"], row["anchor_on"], row["cycle_n"], row["plan"])
        awarded_at = tuple(at.astimezone(UTC) for at in row["awarded_at"])
        posted_at = row["posted_at"].astimezone(UTC)
        award = Award(named, row["amount"], row["reason"], row["late"], awarded_at, posted_at, row["seq"])
        found[row["member_id"]].append(award)
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """A run of members in the order of their ids: how many, the last, and those who may be concerned."""

    looked: int
    last: str
    members: Sequence[str]


def find_repairable(conn: Database, start: date, end: date, as_of: datetime, after: str, limit: int) -> Window:
    """
    Look at the next *limit* members behind *after* and return who a backfill may have something to post for.

    Those are members with a boundary that is not posted at *as_of*, or with a renewal from *start* to *end* below an
    allowance their plan ever had; parked ones are left out. The plan's rules decide about each.
    """
    parameters = {"start": start, "end": end, "as_of": as_of, "after": after, "limit": limit}
    row = conn.execute(query("members/find_repairable"), parameters).fetchone()
    assert row is not None
    return Window(row["looked"], row["last"] or "", row["members"] or ())


def count_members(conn: Database) -> int:
    """Return how many members there are."""
    members: int = scalar(conn, "members/count_members", {})
    return members


def find_movements(conn: Database, member_id: str, after: int, since: datetime) -> list[DictRow]:
    """Return a member's bonuses from *since* on, refunds and adjustments behind entry *after*, oldest first."""
    parameters = {"member": member_id, "after": after, "since": since}
    return conn.execute(query("history/find_movements"), parameters).fetchall()


def find_last_boundary(conn: Database, member_id: str) -> DictRow | None:
    """Return what of the ended cycle the last boundary posted carried and lost; None before the first."""
    return conn.execute(query("history/find_last_boundary"), {"member": member_id}).fetchone()


@dataclass(frozen=True, slots=True)
class Calls:
    """Since when a member has their present status, None for ever; and whether their plan ever changed at once."""

    status_since: datetime | None
    changed_plan: bool


def find_calls(conn: Database, member_id: str, as_of: datetime) -> Calls:
    """Return what the marketplace had asked for up to *as_of*."""
    row = conn.execute(query("history/find_calls"), {"member": member_id, "as_of": as_of}).fetchone()
    assert row is not None
    since = row["status_since"]
    return Calls(since and since.astimezone(UTC), row["changed_plan"])
