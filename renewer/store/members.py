"""Members as they are on record, with their open lots and waiting requests."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, get_type_hints

from psycopg.rows import DictRow, tuple_row

from renewer.rules.ledger import (
    Change,
    ChangedDay,
    CycleKey,
    Lot,
    Member,
    Request,
    Source,
    Status,
)
from renewer.rules.value import value
from renewer.store.cluster import find_due_buckets_there, find_due_there
from renewer.store.connection import Database, scalar, statement
from renewer.store.queries import query


def find_due_buckets(
    conn: Database, as_of: datetime, tell: Callable[[str], None] = lambda _: None
) -> list[int]:
    """
    Return the buckets that hold a due member.

    Those of a node of a cluster that does not answer are left out, and *tell* is told
    of it.
    """
    parameters = {"as_of": as_of}
    if conn.distributed:
        buckets, away = find_due_buckets_there(conn, parameters)
        for node in away:
            tell(node)
        return buckets
    rows = conn.execute(query("members/find_due_buckets"), parameters)
    return [row["bucket"] for row in rows]


def count_due(conn: Database, as_of: datetime, members: Sequence[str] | None) -> int:
    """Return how many members are due, of *members* or of all."""
    named = None if members is None else list(members)
    parameters = {"as_of": as_of, "members": named}
    due: int = scalar(conn, "members/count_due_members", parameters)
    return due


@value
class After:
    """Where the last batch of a bucket ended; the next one starts behind it."""

    due_at: datetime = datetime(1, 1, 2, tzinfo=UTC)
    member_id: str = ""


def find_due(
    conn: Database,
    bucket: int,
    as_of: datetime,
    retry_until: datetime,
    after: After,
    limit: int,
) -> tuple[list[Member], After]:
    """
    Return up to *limit* due members of *bucket* behind *after*, longest due first.

    Also return where they end. One who failed is due only when their next try comes up
    to *retry_until*: a pass that acts in the future tries nobody twice.
    """
    parameters = {
        "bucket": bucket,
        "as_of": as_of,
        "retry_until": retry_until,
        "after_due_at": after.due_at,
        "after_member_id": after.member_id,
        "limit": limit,
    }
    if conn.distributed:
        due = find_due_there(conn, parameters)
        found = {
            each.member_id: each for each in find_members(conn, [m for m, _ in due])
        }
        if due:
            after = After(due[-1][1], due[-1][0])
        return [found[member_id] for member_id, _ in due if member_id in found], after
    rows = _fetch(conn, "members/find_due_members", parameters)
    if rows:
        after = After(rows[-1][len(FIELDS)], rows[-1][0])
    return [_member(row) for row in rows], after


def find_members(conn: Database, members: Sequence[str]) -> list[Member]:
    """Return the named members that exist, by member_id."""
    rows = _fetch(conn, "members/find_members", {"members": list(members)})
    return [_member(row) for row in rows]


def find_ending(
    conn: Database, after: str, until: str | None, ends_by: datetime
) -> list[Member]:
    """
    Return members with Connects that may end up to *ends_by*, by member_id.

    Of those behind *after* up to *until*, None for all behind it.
    """
    parameters = {"after": after, "until": until, "ends_by": ends_by}
    return [_member(row) for row in _fetch(conn, "expiring/find_ending", parameters)]


def find_due_among(
    conn: Database, members: Sequence[str], as_of: datetime, *, heed_retry: bool
) -> list[str]:
    """
    Return who of *members* is due at *as_of*, by member_id.

    Without *heed_retry* one who failed does not wait for their next try.
    """
    parameters = {"members": list(members), "as_of": as_of, "heed_retry": heed_retry}
    rows = conn.execute(query("members/find_due_among"), parameters)
    return [row["member_id"] for row in rows]


def _fetch(conn: Database, name: str, parameters: dict[str, Any]) -> list[Any]:
    with conn.cursor(row_factory=tuple_row) as cur:
        return cur.execute(statement(conn, name), parameters).fetchall()


def _member(row: tuple[Any, ...]) -> Member:
    """Return a row of view `member_state`: the fields of Member in order, and more."""
    fields = list(row[: len(FIELDS)])
    for place, decode in DECODERS:
        fields[place] = decode(fields[place])
    return Member(*fields)


def read_member(row: DictRow) -> Member:
    """Return a row of table `member`, without what other tables hold of a member."""
    return _member(tuple(row.get(name, ABSENT.get(name)) for name in FIELDS))


def read_cycle(
    first_day: str, last_day: str, anchor_on: str, cycle_n: int, plan: str
) -> CycleKey:
    """Return the cycle of a renewal, whose days are JSON."""
    return CycleKey(_day(first_day), _day(last_day), _day(anchor_on), cycle_n, plan)


def _utc(at: datetime | None) -> datetime | None:
    return at and at.astimezone(UTC)


def _changed_day(stored: dict[str, Any] | None) -> ChangedDay | None:
    if stored is None:
        return None
    return ChangedDay(**stored | {"on": _day(stored["on"])})


def _lots(rows: Sequence[Sequence[Any]] | None) -> tuple[Lot, ...]:
    return tuple(
        Lot(number, SOURCES[source], remaining, _instant(issued_at), _end(expires_at))
        for number, source, remaining, issued_at, expires_at in rows or ()
    )


def _requests(rows: Sequence[Sequence[Any]] | None) -> tuple[Request, ...]:
    return tuple(
        Request(reference, Change(kind), content, _instant(at))
        for reference, kind, content, at in rows or ()
    )


@lru_cache(maxsize=65536)
def _day(text: str) -> date:
    """Return a day of JSON; the members of a batch share few of them."""
    return date.fromisoformat(text)


@lru_cache(maxsize=65536)
def _instant(text: str) -> datetime:
    """Return an instant of JSON; the lots of a batch share few of them."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _end(text: str | None) -> datetime | None:
    return _instant(text) if text else None


SOURCES = {str(source): source for source in Source}
STATUSES = {str(status): status for status in Status}

FIELDS = tuple(Member.__dataclass_fields__)
ABSENT = {"attempts": 0}
COLUMNS = tuple(name for name in FIELDS if name not in ("attempts", "lots", "requests"))
"""Fields of Member that are columns of table `member`."""

_DECODE_BY_TYPE: dict[Any, Callable[[Any], Any]] = {
    Status: STATUSES.__getitem__,
    datetime: _utc,
    datetime | None: _utc,
    ChangedDay | None: _changed_day,
    tuple[Lot, ...]: _lots,
    tuple[Request, ...]: _requests,
}
DECODERS = tuple(
    (FIELDS.index(name), _DECODE_BY_TYPE[type_])
    for name, type_ in get_type_hints(Member).items()
    if type_ in _DECODE_BY_TYPE
)
"""Places of fields whose type is not what the database's columns are read as."""


@value
class Window:
    """Members in the order of their ids: how many, the last, who may be concerned."""

    looked: int
    last: str
    members: Sequence[str]


def find_repairable(
    conn: Database, start: date, end: date, as_of: datetime, after: str, limit: int
) -> Window:
    """
    Return who of the next *limit* members behind *after* a backfill may post for.

    Those are members with a boundary that is not posted at *as_of*, or with a renewal
    from *start* to *end* below an allowance their plan ever had. Parked ones are left
    out. The plan's rules decide about each.
    """
    window = {"after": after, "limit": limit}
    rows = conn.execute(query("members/find_window"), window).fetchall()
    looked = [row["member_id"] for row in rows]
    if not looked:
        return Window(0, "", ())
    parameters = {"members": looked, "start": start, "end": end, "as_of": as_of}
    found = conn.execute(query("members/find_repairable"), parameters)
    return Window(len(looked), looked[-1], [row["member_id"] for row in found])


def count_members(conn: Database) -> int:
    """Return how many members there are."""
    members: int = scalar(conn, "members/count_members", {})
    return members


def find_next_due(conn: Database, as_of: datetime) -> datetime | None:
    """Return when the next member becomes due after *as_of*."""
    at: datetime | None = scalar(conn, "members/find_next_due", {"as_of": as_of})
    return at and at.astimezone(UTC)


def list_members(
    conn: Database, plan: str | None, status: str | None, after: str, limit: int
) -> list[DictRow]:
    """Return up to *limit* members behind *after*, of *plan* and *status* if given."""
    parameters = {"plan": plan, "status": status, "after": after, "limit": limit}
    return conn.execute(query("members/list_members"), parameters).fetchall()
