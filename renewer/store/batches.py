"""
What is written for members, one transaction each: postings, failures, boundaries.

A batch goes to SQL as a JSON array of `renewer.planned`, which the schema describes.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from renewer.rules.ledger import Entry, Lot, Member
from renewer.rules.posting import Posting
from renewer.rules.value import value
from renewer.store import cluster
from renewer.store.connection import LEASE_CLASS, Database, scalar
from renewer.store.members import COLUMNS
from renewer.store.queries import query


class Outcome(StrEnum):
    """What became of one member of a batch."""

    POSTED = "posted"
    BUSY = "busy"
    CONFLICT = "conflict"
    FAILED = "failed"


@value
class Unplanned:
    """A member whose posting could not be planned, or not be written, and why."""

    member: Member
    code: str
    message: str
    plan: str | None = None
    timezone: str | None = None


@value
class Unposted:
    """A member the posting procedure did not post; *code* and *message* say why."""

    member_id: str
    outcome: Outcome
    code: str | None = None
    message: str | None = None


def lease_bucket(conn: Database, bucket: int) -> bool:
    """
    Take the lease of *bucket* to the end of the transaction *conn* is in.

    False when another holds it.
    """
    patience = f"{int((conn.patience_s or 0) * 1000)}ms"
    parameters = {"lease_class": LEASE_CLASS, "bucket": bucket, "patience": patience}
    leased: bool = scalar(conn, "batches/lease_bucket", parameters)
    return leased


def post_batch(
    conn: Database, planned: Sequence[dict[str, Any]], run_id: int
) -> list[Unposted]:
    """
    Write documents of one bucket's members and commit member by member.

    Return those that were not posted. Safe to repeat: what was posted is a conflict the
    second time. DataError when SQL cannot read a value: then nothing was written.
    """
    parameters = {
        "key": planned[0]["member_id"],
        "postings": Jsonb(planned, dumps=orjson.dumps),
        "run_id": run_id,
    }
    # Citus routes the call to the shard only when the argument is a literal.
    ask = cluster.literal if conn.distributed else scalar
    outcomes: list[dict[str, Any]] = ask(conn, "batches/post_batch", parameters)
    return [
        Unposted(
            each["member_id"],
            Outcome(each["outcome"]),
            each["code"],
            each["message"],
        )
        for each in outcomes
    ]


def post_locked(conn: Database, planned: dict[str, Any], run_id: int) -> Outcome:
    """Write one document inside the caller's transaction and return its outcome."""
    posting = Jsonb(planned, dumps=orjson.dumps)
    parameters = {"posting": posting, "run_id": run_id}
    return Outcome(scalar(conn, "batches/post_member", parameters))


WRITTEN = (
    *(name for name in COLUMNS if name not in ("member_id", "bucket", "version")),
    "lapses_at",
    "requested_at",
)
"""What a posting writes of a member: fields and properties of Member."""

_written = attrgetter(*WRITTEN)


def describe_posting(posting: Posting, retry_at: datetime) -> dict[str, Any]:
    """
    Return *posting* as a `renewer.planned`; *retry_at* is for when SQL refuses it.

    Nulls are omitted: SQL takes a missing value for null, and reading it costs time.
    """
    before = posting.before
    described = {
        "member_id": before.member_id,
        "version": before.version,
        "entries": [_describe_entry(entry) for entry in posting.entries],
        "new_lots": [_describe_lot(lot) for lot in posting.new_lots],
        "changed_lots": [
            {"number": lot.number, "remaining": lot.remaining}
            for lot in posting.changed_lots
        ],
        "applied": posting.applied,
        "retry_at": retry_at,
    }
    for name, written in zip(WRITTEN, _written(posting.after), strict=True):
        if written is not None:
            described[name] = written
    return described


def _describe_entry(entry: Entry) -> dict[str, Any]:
    """Return *entry* as a `renewer.planned_entry`, without its nulls."""
    named = zip(ENTRY_FIELDS, _entry_fields(entry), strict=True)
    return {name: field for name, field in named if field is not None}


ENTRY_FIELDS = tuple(field.name for field in fields(Entry))
_entry_fields = attrgetter(*ENTRY_FIELDS)


def _describe_lot(lot: Lot) -> dict[str, Any]:
    """Return a new lot as a `renewer.planned_lot`."""
    described: dict[str, Any] = {
        "number": lot.number,
        "source": lot.source,
        "remaining": lot.remaining,
        "issued_at": lot.issued_at,
    }
    if lot.expires_at is not None:
        described["expires_at"] = lot.expires_at
    return described


def describe_failure(failed: Unplanned, retry_at: datetime) -> dict[str, Any]:
    """Return why a member could not be planned as a `renewer.planned`."""
    return {
        "member_id": failed.member.member_id,
        "version": failed.member.version,
        "error_code": failed.code,
        "error_message": failed.message,
        "error_plan": failed.plan,
        "error_timezone": failed.timezone,
        "retry_at": retry_at,
    }


def lock_member(conn: Database, member_id: str, lock_timeout_s: float) -> None:
    """
    Lock one member to the end of the transaction *conn* is in.

    LockNotAvailable after *lock_timeout_s*.
    """
    timeout = f"{int(lock_timeout_s * 1000)}ms"
    for name, setting in (("lock_timeout", timeout), ("synchronous_commit", "off")):
        conn.execute(query("batches/set_local"), {"name": name, "value": setting})
    if conn.distributed:
        cluster.set_lock_timeout(conn, timeout)
    conn.execute(query("batches/lock_member"), {"member": member_id})


def purchase(
    conn: Database, member_id: str, amount: int, reference: str, at: datetime
) -> None:
    """Add Connects a member bought, as the marketplace would."""
    parameters = {
        "member": member_id,
        "amount": amount,
        "reference": reference,
        "at": at,
    }
    conn.execute(query("batches/purchase"), parameters)


def change_plan(
    conn: Database, member_id: str, plan: str, reference: str, at: datetime
) -> None:
    """Let *plan* begin with a member's next cycle, as the marketplace would."""
    parameters = {"member": member_id, "plan": plan, "reference": reference, "at": at}
    conn.execute(query("batches/change_plan"), parameters)


def fix_boundary(
    conn: Database, member_id: str, found: datetime, renews_at: datetime
) -> bool:
    """
    Move a member's next boundary from where it was *found*.

    False when it is not there any more: a pass has posted it.
    """
    parameters = {"member": member_id, "found": found, "renews_at": renews_at}
    cursor = conn.execute(query("batches/fix_boundary"), parameters)
    return cursor.fetchone() is not None
