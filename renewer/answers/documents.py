"""
The JSON documents about members: the command line, the pages and the API share them.

Each class is one JSON object, its fields the keys in order; the OpenAPI description is
generated from the classes. They are dataclasses, so that a command need not load
pydantic's model builder. Days are `date`, instants `datetime`: `localised` gives all
instants of a document the member's offset at once, and the writer makes them ISO 8601.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from psycopg.rows import DictRow

from renewer.answers.explanation import Code, Explanation
from renewer.answers.headline import headline, headline_of_stranger
from renewer.answers.notes import notes
from renewer.answers.wording import CONNECTS, Note, Word, local, usable_timezone
from renewer.rules.cycle_history import CycleRecord
from renewer.rules.ledger import Lot, Member
from renewer.rules.posting import Boundary
from renewer.rules.value import value


@value
class NoteDocument:
    """One sentence about one thing, with its numbers and dates as *values*."""

    code: str
    text: str
    values: dict[str, Any]


@value
class PlanDocument:
    """The plan of the current cycle and its rules, null as far as they are unknown."""

    code: str
    allowance: int | None
    rollover_cap: int | None
    lifetime_months: int | None


@value
class CycleDocument:
    """The cycle that the ledger has reached."""

    n: int
    first_day: date
    last_day: date


@value
class NextDocument:
    """What the next boundary brings; under review, what its end would bring now."""

    allowance: int
    carried: int
    expiring: int
    balance_after: int


@value
class LotDocument:
    """Connects that were issued together."""

    source: str
    remaining: int
    issued_at: datetime
    expires_at: datetime | None
    ends_with_cycle: bool


@value
class RenewalDocument:
    """The last renewal on record."""

    first_day: date
    amount: int
    reason: str | None
    posted_at: datetime


@value
class PastCycleDocument:
    """What a cycle that has begun should have brought, and what it brought."""

    first_day: date
    last_day: date
    expected: int | None
    awarded: int
    reason: str | None


@value
class MemberDocument:
    """Why a member's Connects renewed or not yet: the document of `explain --json`."""

    member_id: str
    as_of: datetime
    status_code: Code
    headline: str
    notes: list[NoteDocument]
    timezone: str
    plan: PlanDocument
    pending_plan: str | None
    balance: int
    cycle: CycleDocument | None
    awards_at: datetime | None
    next: NextDocument | None
    lots: list[LotDocument]
    last_renewal: RenewalDocument | None
    past_cycles: list[PastCycleDocument]


@value
class LineDocument:
    """A line of a statement."""

    seq: int
    occurred_at: datetime
    kind: str
    what: str
    amount: int
    balance_after: int
    reference: str | None


@value
class StatementDocument:
    """A page of a statement, newest line first; *next* is the cursor to go on with."""

    member_id: str
    timezone: str
    balance: int
    lines: list[LineDocument]
    next: str | None


@value
class HistoryDocument:
    """The document of `history --json`: lines, oldest first, and their entries."""

    member_id: str
    timezone: str
    balance: int
    lines: list[LineDocument]
    entries: list[dict[str, Any]]


@value
class BoundaryDocument:
    """What a boundary to come will post."""

    n: int
    first_day: date
    last_day: date
    awards_at: datetime
    plan: str
    reason: str | None
    allowance: int
    carried: int
    expiring: int
    balance_after: int


@value
class PreviewDocument:
    """The boundaries to come: the document of `preview --json`."""

    member_id: str
    as_of: datetime
    timezone: str
    balance: int
    cycles: list[BoundaryDocument]


@value
class CyclesDocument:
    """The cycles there were, and those to come."""

    member_id: str
    as_of: datetime
    past_cycles: list[PastCycleDocument]
    next_cycles: list[BoundaryDocument]


def localised(part: Any, timezone: str) -> Any:
    """Return a document with each instant at its offset in *timezone*, a usable one."""
    if isinstance(part, datetime):
        return local(part, timezone)
    if isinstance(part, dict):
        return {name: localised(item, timezone) for name, item in part.items()}
    if isinstance(part, list):
        return [localised(item, timezone) for item in part]
    if is_dataclass(part) and not isinstance(part, type):
        items = (getattr(part, each.name) for each in fields(part))
        return type(part)(*(localised(item, timezone) for item in items))
    return part


def stranger_document(member_id: str, as_of: datetime) -> dict[str, Any]:
    """Return the document about an id that no member has."""
    return {
        "member_id": member_id,
        "as_of": as_of,
        "status_code": Code.UNKNOWN_MEMBER,
        "headline": headline_of_stranger(member_id),
        "notes": [],
    }


def explanation_document(facts: Explanation) -> MemberDocument:
    """Return the document of an explanation, in the member's time zone."""
    member = facts.member
    document = MemberDocument(
        member_id=member.member_id,
        as_of=facts.as_of,
        status_code=facts.code,
        headline=headline(facts),
        notes=[_note(each) for each in notes(facts)],
        timezone=member.timezone,
        plan=_plan(facts),
        pending_plan=facts.pending_plan,
        balance=member.balance,
        cycle=_cycle(facts),
        awards_at=facts.awards_at,
        next=_next(facts),
        lots=[_lot(facts, lot) for lot in member.lots if lot.remaining],
        last_renewal=_last_renewal(facts),
        past_cycles=[_past_cycle(each) for each in facts.cycles],
    )
    return _in_zone_of(member, document)


def preview_document(
    held: Member, as_of: datetime, boundaries: Sequence[Boundary]
) -> PreviewDocument:
    """Return the document of the boundaries to come, in the member's time zone."""
    cycles = [_boundary(each) for each in boundaries]
    document = PreviewDocument(
        held.member_id, as_of, held.timezone, held.balance, cycles
    )
    return _in_zone_of(held, document)


def cycles_document(
    facts: Explanation, boundaries: Sequence[Boundary]
) -> CyclesDocument:
    """Return the document of past and coming cycles, in the member's time zone."""
    document = CyclesDocument(
        facts.member.member_id,
        facts.as_of,
        [_past_cycle(each) for each in facts.cycles],
        [_boundary(each) for each in boundaries],
    )
    return _in_zone_of(facts.member, document)


def statement_document(
    held: Member, rows: Iterable[DictRow], word: Word, following: int | None
) -> StatementDocument:
    """Return a page of a statement; *following* is the entry to go on before."""
    return StatementDocument(
        held.member_id,
        held.timezone,
        held.balance,
        list(statement_lines(held, rows, word)),
        None if following is None else str(following),
    )


def history_document(
    held: Member, rows: Iterable[DictRow], entries: list[DictRow]
) -> HistoryDocument:
    """Return the document of a statement with the entries behind its lines."""
    return HistoryDocument(
        held.member_id,
        held.timezone,
        held.balance,
        list(statement_lines(held, rows)),
        _in_zone_of(held, entries),
    )


def statement_lines(
    held: Member, rows: Iterable[DictRow], word: Word = CONNECTS
) -> Iterator[LineDocument]:
    """Yield lines of a statement in the member's zone and the marketplace's word."""
    for row in rows:
        line = LineDocument(**row | {"what": word.instead(row["what"])})
        yield _in_zone_of(held, line)


def ends_with_cycle(facts: Explanation, lot: Lot) -> int:
    """Return how many Connects of *lot* expire at the next boundary, by the cap."""
    return facts.upcoming.lost.get(lot.number, 0) if facts.upcoming else 0


Document = TypeVar("Document")


def _in_zone_of(member: Member, document: Document) -> Document:
    there: Document = localised(document, usable_timezone(member.timezone))
    return there


def _note(note: Note) -> NoteDocument:
    return NoteDocument(note.code, note.text, dict(note.values))


def _plan(facts: Explanation) -> PlanDocument:
    rules = facts.plan
    if rules is None:
        return PlanDocument(facts.member.plan, None, None, None)
    # What a failing member will get is unknown until the cause is corrected.
    allowance = None if facts.code is Code.FAILED else rules.allowance
    return PlanDocument(
        facts.member.plan, allowance, rules.rollover_cap, rules.lifetime_months
    )


def _cycle(facts: Explanation) -> CycleDocument | None:
    """Return the current cycle; None before the first award."""
    if facts.member.cycle_n is None:
        return None
    reached = facts.cycle
    return CycleDocument(reached.n, reached.first_day, reached.last_day)


def _next(facts: Explanation) -> NextDocument | None:
    """Return what comes next; under review, what its end would bring now."""
    if facts.code in (Code.CLOSED, Code.FAILED) or facts.upcoming is None:
        return None
    come = (*facts.waiting, *facts.held_back)
    if facts.code is not Code.UNDER_REVIEW or not come:
        return NextDocument(**_amounts(facts.upcoming))
    return NextDocument(
        allowance=sum(each.allowance for each in come),
        carried=come[-1].carried,
        expiring=sum(each.expiring for each in come),
        balance_after=come[-1].balance_after,
    )


def _amounts(boundary: Boundary) -> dict[str, int]:
    return {
        "allowance": boundary.allowance,
        "carried": boundary.carried,
        "expiring": boundary.expiring,
        "balance_after": boundary.balance_after,
    }


def _lot(facts: Explanation, lot: Lot) -> LotDocument:
    return LotDocument(
        source=lot.source,
        remaining=lot.remaining,
        issued_at=lot.issued_at,
        expires_at=lot.expires_at,
        ends_with_cycle=ends_with_cycle(facts, lot) > 0,
    )


def _last_renewal(facts: Explanation) -> RenewalDocument | None:
    award, brought = facts.last_award, facts.last_cycle
    if award is None or brought is None:
        return None
    return RenewalDocument(
        first_day=award.cycle.first_day,
        amount=award.awarded,
        # The reason of the cycle, so that one award never shows two.
        reason=brought.shortfall,
        posted_at=award.posted_at,
    )


def _past_cycle(each: CycleRecord) -> PastCycleDocument:
    return PastCycleDocument(
        each.first_day,
        each.last_day,
        each.expected,
        each.awarded or 0,
        each.shortfall,
    )


def _boundary(each: Boundary) -> BoundaryDocument:
    return BoundaryDocument(
        n=each.n,
        first_day=each.first_day,
        last_day=each.last_day,
        awards_at=each.awards_at,
        plan=each.plan,
        reason=each.reason,
        **_amounts(each),
    )
