"""
What a member's page shows beside the member's document: dates, groups and banners.

The words are put together here; the template only lays them out.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta

from renewer.answers.documents import (
    LineDocument,
    MemberDocument,
    StatementDocument,
    statement_lines,
)
from renewer.answers.explanation import Code, Explanation
from renewer.answers.wording import (
    REASONS,
    Word,
    day,
    day_at,
    days,
    local,
    plan_name,
    reason_in_words,
)
from renewer.rules.ledger import Lot, Member, Source
from renewer.rules.value import value
from renewer.store.connection import Database
from renewer.store.history import EVER, LAST_SEQ, find_entries, find_statement

SOON = timedelta(days=30)
AT_A_TIME = 1000
"""Entries of a statement that are read at once."""
INSTANT = timedelta(microseconds=1)

GROUPS = {
    Source.ALLOWANCE: "Monthly",
    Source.ROLLOVER: "Kept",
    Source.PURCHASE: "Bought",
    Source.BONUS: "Bonus",
    Source.REFUND: "Returned",
}
"""What a member calls the sources of lots."""

BANNERS = {
    Code.FAILED: (
        "We cannot renew you at the moment.",
        f"{REASONS[Code.FAILED].cell}. Nothing is lost: you get what is due.",
    ),
    Code.UNDER_REVIEW: (
        "Your account is under review.",
        "Renewals and expiries wait until the review ends. You can go on spending.",
    ),
    Code.SUSPENDED: (
        "Your account is suspended.",
        "Your cycles go on, but you get nothing new until you are active again.",
    ),
    Code.CLOSED: (
        "This membership is closed.",
        "The balance stays as it is. Nothing renews and nothing expires.",
    ),
    Code.WAITING_FOR_PASS: (
        "Your renewal is on its way.",
        "Your cycle has ended, and the renewal has not been made yet. It comes in "
        "full, dated at its own day.",
    ),
}
"""What a state means, in two parts: what it is, and what follows."""

PENDING = "A change of plan waits."


@value
class Group:
    """Connects of one lot, as a row of the table of groups."""

    name: str
    remaining: int
    issued_on: date
    ends: str


@value
class MemberPage:
    """
    What a member's page shows beside its document.

    *awards_when* is the time of the next award in words, None while it is unknown.
    Today is day *day* of the *length* days of the cycle, the last one when it is over;
    *progress* says so. *soon* is the number of Connects that end within 30 days.
    """

    zone: str
    awards_when: str | None
    cycle: str
    day: int
    length: int
    progress: str
    banners: list[tuple[str, str]]
    groups: list[Group]
    soon: int
    plan: str


def member_page(facts: Explanation, document: MemberDocument) -> MemberPage:
    """Return what the page shows of *facts* beside *document*, made from them."""
    zone, awards_when = _zone_name(facts.timezone), None
    first, last = facts.cycle.first_day, facts.cycle.last_day
    length, today = (last - first).days + 1, (facts.today - first).days + 1
    reached_day = max(1, min(today, length))
    progress = f"Today is day {reached_day} of {length}"
    if today > length:
        progress = "This cycle is over"
    if document.awards_at is not None and document.next is not None:
        at = document.awards_at
        awards_when = f"{at:%A} {day(at.date())}, {at:%H:%M} {zone}"
    return MemberPage(
        zone=zone,
        awards_when=awards_when,
        cycle=days(first, last),
        day=reached_day,
        length=length,
        progress=progress,
        banners=list(_banners(facts)),
        groups=[
            Group(
                GROUPS[lot.source],
                lot.remaining,
                local(lot.issued_at, facts.timezone).date(),
                _end(facts, lot),
            )
            for lot in facts.member.lots
            if lot.remaining
        ],
        soon=_soon(facts),
        plan=plan_name(facts.member.plan),
    )


def _zone_name(timezone: str) -> str:
    """Return a zone as people say it: "Berlin time"."""
    if timezone == "UTC":
        return "UTC"
    return f"{timezone.split('/')[-1]} time".replace("_", " ")


def _banners(facts: Explanation) -> Iterator[tuple[str, str]]:
    """Yield what is special about a member, and what it means."""
    if facts.code in BANNERS:
        yield BANNERS[facts.code]
    pending = facts.pending_plan
    if pending is not None and facts.code is not Code.CLOSED:
        yield PENDING, f"Plan {plan_name(pending)} begins with your next cycle."


def _end(facts: Explanation, lot: Lot) -> str:
    """Return the last day on which the Connects of a lot can be used."""
    lost, ends_at = facts.lost.get(lot.number, 0), lot.expires_at
    lasting = "no end"
    if ends_at is not None:
        lasting = day_at(ends_at - INSTANT, facts.timezone)
    if not lost:
        return lasting
    ends_on = day(facts.cycle.last_day)
    if lost == lot.remaining:
        return ends_on
    return f"{lost} on {ends_on}, the others {lasting}"


def _soon(facts: Explanation) -> int:
    """Return how many Connects end within 30 days, with the cycle or by themselves."""
    horizon = facts.as_of + SOON
    at, total = facts.awards_at, 0
    for lot in facts.member.lots:
        if lot.expires_at is not None and lot.expires_at <= horizon:
            total += lot.remaining
        elif at is not None and at <= horizon:
            total += facts.lost.get(lot.number, 0)
    return total


def walk_statement(
    snapshot: Callable[[], AbstractContextManager[Database]],
    held: Member,
    since: datetime,
    word: Word,
) -> Iterator[list[LineDocument]]:
    """
    Yield all lines of a statement from *since* on, newest first, some at a time.

    Each time is a snapshot of its own, so that a slow reader holds no connection.
    Entries are only added, behind those that were seen: none is missed or told twice.
    """
    before: int | None = LAST_SEQ
    while before is not None:
        with snapshot() as conn:
            page = find_page(conn, held, since, before, AT_A_TIME, word)
        yield page.lines
        before = None if page.next is None else int(page.next)


def find_page(
    conn: Database,
    held: Member,
    since: datetime,
    before: int,
    limit: int,
    word: Word,
) -> StatementDocument:
    """
    Return the lines of up to *limit* entries of a statement, newest first.

    The entries occurred from *since* on and stand before entry *before*.
    """
    until, name, rows = EVER[1], held.member_id, []
    entries = find_entries(conn, name, since, until, before, limit + 1)
    shown = entries[-limit:]
    if shown:
        after = shown[0]["seq"] - 1
        rows = find_statement(conn, name, after, since, until, before)
    more = str(shown[0]["seq"]) if len(entries) > limit else None
    lines = statement_lines(held, rows[::-1], word)
    return StatementDocument(name, held.timezone, held.balance, lines, more)


def tell_reason(reason: str | None) -> str:
    """Return why a past cycle brought what it did; "" when all is as expected."""
    return "" if reason is None else reason_in_words(reason).cell
