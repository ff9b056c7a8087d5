"""
The JSON documents about members: the command line, the pages and the API share them.

Each class is one JSON object, its fields the keys in order; the OpenAPI description is
generated from the classes. They are dataclasses, so that a command need not load
pydantic's model builder. Days are `date`, instants `datetime`: `localised` gives all
instants of a document the member's offset at once, and the writer makes them ISO 8601.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, make_dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from psycopg.rows import DictRow

from renewer.answers.explanation import Code, Explanation
from renewer.answers.headline import headline, headline_of_stranger
from renewer.answers.notes import NoteDocument, notes
from renewer.answers.wording import CONNECTS, Word, local, usable_timezone
from renewer.rules.cycle_history import CycleRecord
from renewer.rules.ledger import Member
from renewer.rules.plans import RULES
from renewer.rules.posting import Boundary
from renewer.rules.value import value

PlanDocument = make_dataclass(
    "PlanDocument",
    [("code", str), *((name, int | None) for name in RULES)],
    namespace={
        "__doc__": "The plan of the current cycle and its rules, null as far as they "
        "are unknown."
    },
)
"""Its fields are the rules of a plan."""


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
    plan: PlanDocument  # type: ignore[valid-type]
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
        notes=notes(facts),
        timezone=member.timezone,
        plan=_plan(facts),
        pending_plan=facts.pending_plan,
        balance=member.balance,
        cycle=None if member.cycle is None else _pick(CycleDocument, facts.cycle),
        awards_at=facts.awards_at,
        next=_next(facts),
        lots=[
            _pick(LotDocument, lot, ends_with_cycle=lot.number in facts.lost)
            for lot in member.lots
            if lot.remaining
        ],
        last_renewal=_last_renewal(facts),
        past_cycles=[_past_cycle(each) for each in facts.cycles],
    )
    return _in_zone_of(member, document)


def preview_document(
    held: Member, as_of: datetime, boundaries: Sequence[Boundary]
) -> PreviewDocument:
    """Return the document of the boundaries to come, in the member's time zone."""
    cycles = [_pick(BoundaryDocument, each) for each in boundaries]
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
        [_pick(BoundaryDocument, each) for each in boundaries],
    )
    return _in_zone_of(facts.member, document)


def history_document(
    held: Member, rows: Iterable[DictRow], entries: list[DictRow]
) -> HistoryDocument:
    """Return the document of a statement with the entries behind its lines."""
    return HistoryDocument(
        held.member_id,
        held.timezone,
        held.balance,
        statement_lines(held, rows),
        _in_zone_of(held, entries),
    )


def statement_lines(
    held: Member, rows: Iterable[DictRow], word: Word = CONNECTS
) -> list[LineDocument]:
    """Return lines of a statement in the member's zone and the marketplace's word."""
    names = [each.name for each in fields(LineDocument)]
    told = [row | {"what": word.fill_in(row["words"])} for row in rows]
    lines = [LineDocument(**{name: row[name] for name in names}) for row in told]
    return _in_zone_of(held, lines)


Document = TypeVar("Document")


def _in_zone_of(member: Member, document: Document) -> Document:
    there: Document = localised(document, usable_timezone(member.timezone))
    return there


def _pick(document: type[Document], source: Any, **more: Any) -> Document:
    """Return a document whose fields are those of *source*, and *more*."""
    columns = fields(document)  # type: ignore[arg-type]
    names = [each.name for each in columns if each.name not in more]
    return document(**{name: getattr(source, name) for name in names}, **more)


def _plan(facts: Explanation) -> Any:
    rules = facts.plan.rules if facts.plan else dict.fromkeys(RULES)
    if facts.code is Code.FAILED:
        # What a failing member will get is unknown until the cause is corrected.
        rules |= {"allowance": None}
    return PlanDocument(facts.member.plan, **rules)


def _next(facts: Explanation) -> NextDocument | None:
    """Return what comes next; under review, what its end would bring now."""
    if facts.code in (Code.CLOSED, Code.FAILED) or facts.upcoming is None:
        return None
    if facts.code is not Code.UNDER_REVIEW or not facts.coming:
        return _pick(NextDocument, facts.upcoming)
    expiring = sum(boundary.expiring for boundary in facts.coming)
    last = facts.coming[-1]
    return _pick(NextDocument, last, allowance=facts.due, expiring=expiring)


def _last_renewal(facts: Explanation) -> RenewalDocument | None:
    last = facts.last_cycle
    if last is None:
        return None
    assert last.posted_at is not None
    return RenewalDocument(
        last.first_day, last.awarded or 0, last.shortfall, last.posted_at
    )


def _past_cycle(each: CycleRecord) -> PastCycleDocument:
    awarded, reason = each.awarded or 0, each.shortfall
    return _pick(PastCycleDocument, each, awarded=awarded, reason=reason)
