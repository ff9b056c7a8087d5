"""
All that renewer asks of PostgreSQL: one function a statement of sql/queries, the connection first.

Connections are autocommit; a transaction is open only inside a visible `with conn.transaction()`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from operator import attrgetter
from typing import Any

import orjson
import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row, scalar_row
from psycopg.types.json import Jsonb, set_json_loads

from renewer.errors import DatabaseUnreachable, InputError
from renewer.ledger import (
    CatchUp,
    Change,
    ChangedDay,
    Lot,
    Member,
    Posting,
    Request,
    Revision,
    Source,
    Status,
)
from renewer.queries import query

Database = Connection[DictRow]

CONNECT_TIMEOUT_S = 10
STREAM_ROWS = 5000
LEASE_CLASS = 0x52454E45
"""First key of renewer's advisory locks ("RENE"), so that another application's do not meet them."""


def connect(conninfo: str) -> Database:
    """Open a connection; DatabaseUnreachable, with the server's own words, when none answers."""
    try:
        # A pooler may hand the next statement to another server process: nothing is prepared.
        conn = psycopg.connect(
            conninfo,
            autocommit=True,
            row_factory=dict_row,
            prepare_threshold=None,
            connect_timeout=CONNECT_TIMEOUT_S,
            fallback_application_name="renewer",
        )
    except psycopg.ProgrammingError as error:
        raise InputError(f"the database's address cannot be read: {one_line(error)}") from error
    except psycopg.OperationalError as error:
        raise DatabaseUnreachable(f"the database cannot be reached: {one_line(error)}") from error
    set_json_loads(orjson.loads, conn)
    return conn


def one_line(error: BaseException) -> str:
    """Return an error's message in one line."""
    return " ".join(str(error).split())


def _scalar(conn: Database, name: str, parameters: dict[str, Any]) -> Any:
    """Return the one value of the one row query *name* returns."""
    with conn.cursor(row_factory=scalar_row) as cur:
        return cur.execute(query(name), parameters).fetchone()


def read_clock(conn: Database) -> datetime:
    """Return the database's clock, in UTC."""
    now: datetime = _scalar(conn, "read_clock", {})
    return now.astimezone(UTC)


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
    due: int = _scalar(conn, "count_due_members", parameters)
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


@dataclass(frozen=True, slots=True)
class Failed:
    """A member whose posting could not be planned, and why."""

    member: Member
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A member the posting procedure did not post: *outcome* is busy, conflict or failed."""

    member_id: str
    outcome: str
    code: str | None = None
    message: str | None = None


def lease_shard(conn: Database, shard: int) -> bool:
    """Take the lease of *shard* to the end of the transaction *conn* is in; False when another holds it."""
    leased: bool = _scalar(conn, "lease_shard", {"lease_class": LEASE_CLASS, "shard": shard})
    return leased


def post_batch(conn: Database, planned: Iterable[tuple[Posting | Failed, datetime]], run_id: int) -> list[Refusal]:
    """
    Write what is *planned*, each with its time of retry, and commit member by member.

    Return those that were not posted. Safe to repeat: what was posted is a conflict the second time.
    """
    postings = [_posting(item, retry_at) for item, retry_at in planned]
    outcomes: list[dict[str, Any]] = _scalar(
        conn, "post_batch", {"postings": Jsonb(postings, dumps=orjson.dumps), "run_id": run_id}
    )
    return [Refusal(**outcome) for outcome in outcomes]


def post_locked(conn: Database, posting: Posting, run_id: int | None) -> str:
    """Write one *posting* inside the caller's transaction and return its outcome."""
    item = Jsonb(_posting(posting, None), dumps=orjson.dumps)
    outcome: str = _scalar(conn, "post_member", {"posting": item, "run_id": run_id})
    return outcome


SELDOM = (
    "plan",
    "anchor_on",
    "timezone",
    "status",
    "first_boundary_on",
    "pending_plan",
    "boundary_timezone",
    "changed",
)
"""What of a member changes seldom: by requests, and by the boundaries at which one takes effect."""

PROFILE = attrgetter(*SELDOM)


def _posting(item: Posting | Failed, retry_at: datetime | None) -> dict[str, Any]:
    """Return *item* as the posting procedure takes it."""
    if isinstance(item, Failed):
        return {
            "member_id": item.member.member_id,
            "retry_at": retry_at,
            "error_code": item.code,
            "error_message": item.message,
        }
    before, after = item.before, item.after
    return {
        "member_id": before.member_id,
        "version": before.version,
        "retry_at": retry_at,
        "failed_before": before.attempts > 0,
        "last_lot_before": before.last_lot,
        "entries": item.entries,
        "new_lots": item.new_lots,
        "changed_lots": [{"number": number, "remaining": left} for number, left in item.remainders.items()],
        "after": {
            "balance": after.balance,
            "cycle_n": after.cycle_n,
            "renews_at": after.renews_at,
            "due_at": after.due_at,
            "last_seq": after.last_seq,
            "last_lot": after.last_lot,
            "last_boundary_at": after.last_boundary_at,
            "allowance_lot": after.allowance_lot,
        },
        "profile": None if PROFILE(after) == PROFILE(before) else dict(zip(SELDOM, PROFILE(after), strict=True)),
        "applied": item.applied,
        "cycles": item.cycles if before.called else (),
    }


def lock_member(conn: Database, member_id: str, lock_timeout_s: float) -> None:
    """Lock one member to the end of the transaction *conn* is in; LockNotAvailable after *lock_timeout_s*."""
    for name, value in (("lock_timeout", f"{int(lock_timeout_s * 1000)}ms"), ("synchronous_commit", "off")):
        conn.execute(query("set_local"), {"name": name, "value": value})
    conn.execute(query("lock_member"), {"member": member_id})


def start_run(conn: Database, trigger: str, catch_up: CatchUp, as_of: datetime) -> int:
    """Record that a pass begins and return its number."""
    run_id: int = _scalar(conn, "start_run", {"trigger": trigger, "catch_up": catch_up.value, "as_of": as_of})
    return run_id


def record_progress(
    conn: Database, run_id: int, counts: dict[str, int], *, finished: bool = False, stopped: bool = False
) -> None:
    """Record the *counts* of a pass so far; *finished* ends it."""
    conn.execute(query("record_progress"), {"run_id": run_id, "finished": finished, "stopped": stopped, **counts})


def purchase(conn: Database, member_id: str, amount: int, reference: str, at: datetime) -> None:
    """Add Connects a member bought, as the marketplace would."""
    conn.execute(query("purchase"), {"member": member_id, "amount": amount, "reference": reference, "at": at})


def find_statement(conn: Database, member_id: str, after: int = 0) -> list[DictRow]:
    """Return a member's statement behind entry *after*: occurred_at, what, amount, balance_after."""
    return conn.execute(query("find_statement"), {"member": member_id, "after": after}).fetchall()


def find_entries(conn: Database, member_id: str) -> Iterator[DictRow]:
    """Yield a member's entries, oldest first."""
    yield from conn.execute(query("find_entries"), {"member": member_id})


def stage_members(conn: Database, rows: Iterable[tuple[object, ...]], progress: Callable[[int], None]) -> None:
    """Copy *rows* (columns of create_staging) into a table of this transaction and mark those that repeat a member."""
    conn.execute(query("lock_import"), {"lease_class": LEASE_CLASS})
    conn.execute(query("create_staging"))
    with conn.cursor() as cur, cur.copy(query("copy_staging")) as copy:
        for row in rows:
            copy.write_row(row)
            progress(1)
    conn.execute(query("mark_repeated_lines"))
    conn.execute(query("mark_known_members"))


def find_bad_lines(conn: Database) -> Iterator[tuple[int, str]]:
    """Yield number and reason of every staged line that cannot be imported, in the order of the file."""
    with conn.cursor("bad_lines") as cur:
        for row in cur.execute(query("find_bad_lines")):
            yield row["line"], row["reason"]


def import_staged(conn: Database, as_of: datetime) -> int:
    """Turn every good staged line into a member with an opening lot and entry; return how many."""
    imported = conn.execute(query("import_members")).rowcount
    conn.execute(query("import_lots"), {"as_of": as_of})
    conn.execute(query("import_openings"), {"as_of": as_of})
    return imported


def fix_boundary(conn: Database, member_id: str, found: datetime, renews_at: datetime) -> bool:
    """Move a member's next boundary from where it was *found*; False when the member has changed meanwhile."""
    parameters = {"member": member_id, "found": found, "renews_at": renews_at}
    return conn.execute(query("fix_boundary"), parameters).fetchone() is not None


@contextmanager
def snapshot(conn: Database) -> Iterator[None]:
    """Read everything inside as of one moment."""
    with conn.transaction():
        conn.execute(query("set_snapshot"))
        yield


def stream(conn: Database, name: str) -> Iterator[DictRow]:
    """Yield the rows of query *name* without holding them all; needs an open transaction."""
    with conn.cursor(name) as cur:
        cur.itersize = STREAM_ROWS
        yield from cur.execute(query(name))
