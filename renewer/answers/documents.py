"""
The JSON documents of what is explained: the command line and the pages share them.

Days are `date` and instants `datetime` with the member's offset: whoever writes the
document out puts them into ISO 8601.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow

from renewer.answers.explanation import Code, Explanation
from renewer.answers.headline import headline, headline_of_stranger
from renewer.answers.notes import notes
from renewer.answers.wording import Note, local, usable_timezone
from renewer.rules.cycle_history import CycleRecord
from renewer.rules.ledger import Lot, Member
from renewer.rules.posting import Boundary
from renewer.store import Lag, RecordedFailure

INSTANTS = ("occurred_at", "posted_at", "expires_at")


def stranger_document(member_id: str, as_of: datetime) -> dict[str, Any]:
    """Return the document of a member nobody knows: there is nothing else to tell."""
    return {
        "member_id": member_id,
        "as_of": as_of,
        "status_code": Code.UNKNOWN_MEMBER,
        "headline": headline_of_stranger(member_id),
        "notes": [],
    }


def explanation_document(facts: Explanation) -> dict[str, Any]:
    """Return the document of an explanation."""
    member = facts.member
    is_awarded = member.cycle_n is not None
    awards_at = facts.awards_at
    return {
        "member_id": member.member_id,
        "as_of": facts.local(facts.as_of),
        "status_code": facts.code,
        "headline": headline(facts),
        "notes": [_note(each) for each in notes(facts)],
        "timezone": member.timezone,
        "plan": _plan(facts),
        "pending_plan": facts.pending_plan,
        "balance": member.balance,
        "cycle": _cycle(facts) if is_awarded else None,
        "awards_at": None if awards_at is None else facts.local(awards_at),
        "next": _next(facts),
        "lots": [_lot(facts, lot) for lot in member.lots if lot.remaining],
        "last_renewal": _last_renewal(facts),
        "past_cycles": [_past_cycle(each) for each in facts.cycles],
    }


def preview_document(
    held: Member, as_of: datetime, boundaries: Sequence[Boundary]
) -> dict[str, Any]:
    """Return the document of the boundaries to come."""
    timezone = usable_timezone(held.timezone)
    return {
        "member_id": held.member_id,
        "as_of": local(as_of, timezone),
        "timezone": held.timezone,
        "balance": held.balance,
        "cycles": [_boundary(each, timezone) for each in boundaries],
    }


def statement_document(
    held: Member, lines: Sequence[DictRow], entries: Sequence[DictRow]
) -> dict[str, Any]:
    """Return the document of a statement: its lines, and the entries behind them."""
    timezone = usable_timezone(held.timezone)
    return {
        "member_id": held.member_id,
        "timezone": held.timezone,
        "balance": held.balance,
        "lines": [_localised(row, timezone) for row in lines],
        "entries": [_localised(row, timezone) for row in entries],
    }


def status_document(
    as_of: datetime,
    lag: Lag,
    runs: Sequence[DictRow],
    failed: int,
    failures: Sequence[RecordedFailure],
    census: DictRow | None,
    next_due_at: datetime | None,
) -> dict[str, Any]:
    """Return the document of how the job is doing."""
    oldest, lag_seconds = lag.oldest_boundary_at, 0
    if oldest is not None:
        lag_seconds = round((as_of - oldest).total_seconds())
    return {
        "as_of": as_of,
        "due": lag.due,
        "lag_seconds": lag_seconds,
        "oldest_boundary_at": oldest,
        "next_due_at": next_due_at,
        "census": census,
        "runs": [run | {"per_second": members_per_second(run)} for run in runs],
        **failures_document(failed, failures),
    }


def failures_document(
    failed: int, failures: Sequence[RecordedFailure]
) -> dict[str, Any]:
    """Return the document of the members who failed: how many, and the first."""
    return {"failed": failed, "failures": [_failure(each) for each in failures]}


def members_per_second(run: DictRow) -> float:
    """Return how many members a pass did in a second."""
    return round(run["due"] / run["seconds"], 1) if run["seconds"] else 0.0


def ends_with_cycle(facts: Explanation, lot: Lot) -> int:
    """Return what of a lot the next boundary lets expire with its cycle."""
    return facts.upcoming.lost.get(lot.number, 0) if facts.upcoming else 0


def _note(note: Note) -> dict[str, Any]:
    return {"code": note.code, "text": note.text, "values": dict(note.values)}


def _plan(facts: Explanation) -> dict[str, Any]:
    """Return the plan of the present cycle with its rules, as far as they are known."""
    names = ("allowance", "rollover_cap", "lifetime_months")
    rules = {name: getattr(facts.plan, name, None) for name in names}
    if facts.code is Code.FAILED:
        # What a failing member gets is not known before somebody has mended it.
        rules["allowance"] = None
    return {"code": facts.member.plan, **rules}


def _cycle(facts: Explanation) -> dict[str, Any]:
    reached = facts.cycle
    return {
        "n": reached.n,
        "first_day": reached.first_day,
        "last_day": reached.last_day,
    }


def _next(facts: Explanation) -> dict[str, int] | None:
    """Return what comes next; under review, what its end would bring now."""
    if facts.code in (Code.CLOSED, Code.FAILED) or facts.upcoming is None:
        return None
    come = (*facts.waiting, *facts.held_back)
    if facts.code is not Code.UNDER_REVIEW or not come:
        return _amounts(facts.upcoming)
    return {
        "allowance": sum(each.allowance for each in come),
        "carried": come[-1].carried,
        "expiring": sum(each.expiring for each in come),
        "balance_after": come[-1].balance_after,
    }


def _amounts(boundary: Boundary) -> dict[str, int]:
    return {
        "allowance": boundary.allowance,
        "carried": boundary.carried,
        "expiring": boundary.expiring,
        "balance_after": boundary.balance_after,
    }


def _lot(facts: Explanation, lot: Lot) -> dict[str, Any]:
    ends = lot.expires_at
    return {
        "source": lot.source,
        "remaining": lot.remaining,
        "issued_at": facts.local(lot.issued_at),
        "expires_at": None if ends is None else facts.local(ends),
        "ends_with_cycle": ends_with_cycle(facts, lot) > 0,
    }


def _last_renewal(facts: Explanation) -> dict[str, Any] | None:
    award, brought = facts.last_award, facts.last_cycle
    if award is None or brought is None:
        return None
    return {
        "first_day": award.cycle.first_day,
        "amount": award.awarded,
        # The reason of the cycle, so that no two are given for one award.
        "reason": brought.shortfall,
        "posted_at": facts.local(award.posted_at),
    }


def _past_cycle(each: CycleRecord) -> dict[str, Any]:
    return {
        "first_day": each.first_day,
        "last_day": each.last_day,
        "expected": each.expected,
        "awarded": each.awarded or 0,
        "reason": each.shortfall,
    }


def _boundary(each: Boundary, timezone: str) -> dict[str, Any]:
    return {
        "n": each.n,
        "first_day": each.first_day,
        "last_day": each.last_day,
        "awards_at": local(each.awards_at, timezone),
        "plan": each.plan,
        "reason": each.reason,
        **_amounts(each),
    }


def _localised(row: DictRow, timezone: str) -> dict[str, Any]:
    """Return a row with its instants in the member's zone."""
    there = {name: local(row[name], timezone) for name in INSTANTS if row.get(name)}
    return row | there


def _failure(each: RecordedFailure) -> dict[str, Any]:
    return {
        "member_id": each.member_id,
        "code": each.code,
        "error": each.message,
        "plan": each.plan,
        "timezone": each.timezone,
        "attempts": each.attempts,
        "first_failed_at": each.first_failed_at,
        "last_failed_at": each.last_failed_at,
        "next_try_at": None if each.parked else each.retry_at,
        "parked": each.parked,
    }
