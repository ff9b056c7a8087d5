"""
Checks the invariants on live data and names every member that breaks one.

All is read in one snapshot, so a pass that runs meanwhile disturbs nothing and is not mistaken for an error.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date

from psycopg.rows import DictRow

from renewer import cycle, store
from renewer.errors import RenewerError


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant (numbered as in DESIGN, section 5) that a member's data break, and how."""

    invariant: int
    member_id: str
    detail: str


INVARIANTS = {
    1: "the balance is what entries and lots add up to",
    2: "entries are numbered without a gap",
    3: "one renewal for each boundary",
    4: "boundaries are what the calendar computes from the anchor",
    5: "each lot holds what its entries left in it",
}

BY_QUERY = ((1, "find_wrong_balances"), (2, "find_wrong_sequences"), (5, "find_wrong_lots"))


def find_violations(conn: store.Database) -> Iterator[Violation]:
    """Yield every violation of invariants 1 to 5; what is due and not posted yet is none."""
    with store.snapshot(conn):
        for invariant, name in BY_QUERY:
            for row in store.stream(conn, name):
                yield Violation(invariant, row["member_id"], row["detail"])
        for row in store.stream(conn, "find_calendars"):
            yield from _check_calendar(row)


def _check_calendar(row: DictRow) -> Iterator[Violation]:
    """Compare one member's renewals and next boundary with the calendar."""
    member_id, anchor_on, n = row["member_id"], row["anchor_on"], row["cycle_n"]
    try:
        renews_at = cycle.boundary(anchor_on, row["timezone"], n + 1)
        expected = _cycle_days(anchor_on, row["first_boundary_on"], n)
    except RenewerError as error:
        yield Violation(4, member_id, str(error))
        return
    if row["renews_at"] != renews_at:
        found = row["renews_at"].astimezone(UTC)
        yield Violation(4, member_id, f"renews_at is {found.isoformat()}, the calendar says {renews_at.isoformat()}")
    posted = row["renewed_days"] or []
    if posted != expected:
        yield from _compare_days(member_id, posted, expected)


def _cycle_days(anchor_on: date, first: date, n: int) -> list[date]:
    """Return the first days from *first* to that of cycle *n*."""
    days = []
    while n >= 0 and (day := cycle.first_day(anchor_on, n)) >= first:
        days.append(day)
        n -= 1
    return days[::-1]


def _compare_days(member_id: str, posted: list[date], expected: list[date]) -> Iterator[Violation]:
    for day in sorted(set(expected) - set(posted)):
        yield Violation(3, member_id, f"the renewal of {day} is missing")
    for day in sorted(set(posted) - set(expected)):
        yield Violation(3, member_id, f"a renewal of {day}, which is no boundary of theirs")
    if sorted(posted) == expected:
        yield Violation(3, member_id, "renewals are not in the order of their boundaries")
