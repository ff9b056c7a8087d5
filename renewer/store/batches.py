"""What is written for members, one transaction each: postings, failures, moved boundaries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import orjson
from psycopg.types.json import Jsonb

from renewer.rules.ledger import Member
from renewer.rules.posting import Posting
from renewer.store.connection import LEASE_CLASS, Database, scalar
from renewer.store.queries import query


@dataclass(frozen=True, slots=True)
class Failed:
    """A member whose posting could not be planned, and why."""

    member: Member
    code: str
    message: str
    plan: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A member the posting procedure did not post: *outcome* is busy, conflict or failed."""

    member_id: str
    outcome: str
    code: str | None = None
    message: str | None = None


def lease_shard(conn: Database, shard: int) -> bool:
    """Take the lease of *shard* to the end of the transaction *conn* is in; False when another holds it."""
    leased: bool = scalar(conn, "batches/lease_shard", {"lease_class": LEASE_CLASS, "shard": shard})
    return leased


def post_batch(conn: Database, planned: Iterable[tuple[Posting | Failed, datetime]], run_id: int) -> list[Refusal]:
    """
    Write what is *planned*, each with its time of retry, and commit member by member.

    Return those that were not posted. Safe to repeat: what was posted is a conflict the second time.
    """
    postings = [_posting(item, retry_at) for item, retry_at in planned]
    outcomes: list[dict[str, Any]] = scalar(
        conn, "batches/post_batch", {"postings": Jsonb(postings, dumps=orjson.dumps), "run_id": run_id}
    )
    return [Refusal(**outcome) for outcome in outcomes]


def post_locked(conn: Database, posting: Posting, run_id: int | None) -> str:
    """Write one *posting* inside the caller's transaction and return its outcome."""
    item = Jsonb(_posting(posting, None), dumps=orjson.dumps)
    outcome: str = scalar(conn, "batches/post_member", {"posting": item, "run_id": run_id})
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
            "error_plan": item.plan,
            "error_timezone": item.timezone,
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
        conn.execute(query("batches/set_local"), {"name": name, "value": value})
    conn.execute(query("batches/lock_member"), {"member": member_id})


def purchase(conn: Database, member_id: str, amount: int, reference: str, at: datetime) -> None:
    """Add Connects a member bought, as the marketplace would."""
    conn.execute(query("batches/purchase"), {"member": member_id, "amount": amount, "reference": reference, "at": at})


def fix_boundary(conn: Database, member_id: str, found: datetime, renews_at: datetime) -> bool:
    """Move a member's next boundary from where it was *found*; False when the member has changed meanwhile."""
    parameters = {"member": member_id, "found": found, "renews_at": renews_at}
    return conn.execute(query("batches/fix_boundary"), parameters).fetchone() is not None
