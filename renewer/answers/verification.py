"""
Checks the invariants on live data and names every member that breaks one, and what of
the schema is not as this release defines it.

Members are checked in stretches of their ids, each in a snapshot of its own, so a pass
that runs meanwhile disturbs nothing and is not mistaken for an error.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from psycopg.rows import DictRow

from renewer import store
from renewer.answers.drift import find_drift
from renewer.errors import RenewerError
from renewer.rules import cycle
from renewer.rules.audit import follows
from renewer.rules.ledger import CycleName, value


@value
class Violation:
    """
    An invariant, numbered as in INVARIANTS, that is broken, and how.

    Of the schema's invariant there is no *member_id*.
    """

    invariant: int
    member_id: str | None
    detail: str


INVARIANTS = {
    1: "the balance is what entries and lots add up to",
    2: "entries are numbered without a gap",
    3: "one renewal for each boundary, of no more than its plan allows",
    4: "boundaries are what the calendar says, and nobody is forgotten",
    5: "each lot holds what its entries left in it",
    6: "the schema is the one of this release",
}

BY_QUERY = (
    (1, "verification/find_wrong_balances"),
    (2, "verification/find_wrong_sequences"),
    (3, "verification/find_wrong_awards"),
    (4, "verification/find_wrong_facts"),
    (5, "verification/find_wrong_lots"),
)


STRETCH = 20_000
"""Members who are checked in one snapshot: a second or two."""


@dataclass(slots=True)
class Looked:
    """
    What a verification has looked at so far.

    The entries occurred from *since_at* to *until_at*, None while there are none.
    """

    members: int = 0
    entries: int = 0
    lots: int = 0
    since_at: datetime | None = None
    until_at: datetime | None = None

    def add(self, counted: DictRow) -> None:
        """Add what one stretch of members holds."""
        self.members += counted["members"]
        self.entries += counted["entries"]
        self.lots += counted["lots"]
        since_at, until_at = counted["since_at"], counted["until_at"]
        if since_at is not None:
            self.since_at = min(self.since_at or since_at, since_at)
            self.until_at = max(self.until_at or until_at, until_at)


def find_violations(
    conn: store.Database,
    looked: Looked | None = None,
    pause: Callable[[float], bool] = lambda _: True,
) -> Iterator[Violation]:
    """
    Yield every violation; what is due and not posted yet is none.

    *looked* counts meanwhile. *pause* is called after each stretch of members with the
    seconds it took; False ends the verification before its end.
    """
    after, until = "", None
    looked = looked or Looked()
    with store.snapshot(conn):
        for detail in find_drift(conn):
            yield Violation(6, None, detail)
    while True:
        began = time.monotonic()
        with store.snapshot(conn):
            until = store.find_stretch(conn, after, STRETCH)
            stretch = {"after": after, "until": until}
            looked.add(store.count_looked_at(conn, stretch))
            yield from _check_stretch(conn, stretch)
        if not pause(time.monotonic() - began) or until is None:
            return
        after = until


def _check_stretch(
    conn: store.Database, stretch: dict[str, Any]
) -> Iterator[Violation]:
    """Yield the violations of the members, real or not, whose ids lie in *stretch*."""
    for invariant, name in BY_QUERY:
        for row in store.stream(conn, name, stretch):
            yield Violation(invariant, row["member_id"], row["detail"])
    for row in store.stream(conn, "verification/find_calendars", stretch):
        yield from _check_calendar(row)


def _check_calendar(row: DictRow) -> Iterator[Violation]:
    """Compare one member's renewals and next boundary with the calendar."""
    member_id = row["member_id"]
    rows = list(zip(*(row[name] or () for name in RENEWED), strict=True))
    renewals = [CycleName(*each) for each in rows]
    if any(None in each for each in rows) or row["anchor_on"] is None:
        yield Violation(4, member_id, "an anchor, a cycle or a day is missing")
        return
    try:
        for detail in _find_gaps(renewals, row):
            yield Violation(3, member_id, detail)
        zone = row["boundary_timezone"] or row["timezone"]
        renews_at = cycle.next_boundary(row["anchor_on"], zone, row["cycle_n"])
    except RenewerError as error:
        yield Violation(4, member_id, str(error))
        return
    if renews_at is not None and row["renews_at"] != renews_at:
        found = row["renews_at"].astimezone(UTC)
        detail = f"renews_at is {found.isoformat()}"
        detail += f", the calendar says {renews_at.isoformat()}"
        yield Violation(4, member_id, detail)


RENEWED = ("renewed_days", "renewed_anchors", "renewed_cycles", "renewed_plans")


def _find_gaps(renewals: list[CycleName], row: DictRow) -> Iterator[str]:
    """
    Yield what is missing or too much among a member's renewals.

    There is one for each boundary from the first to the cycle the ledger has reached.
    """
    for renewal in renewals:
        if renewal.first_day != cycle.first_day(renewal.anchor_on, renewal.cycle_n):
            day, anchor_on = renewal.first_day, renewal.anchor_on
            yield f"a renewal of {day}, which is no boundary of anchor {anchor_on}"
    for before, after in pairwise(renewals):
        if not follows(before, after):
            skipped = (before.first_day, after.first_day)
            yield "after the renewal of {} comes that of {}".format(*skipped)
    if renewals:
        yield from _find_wrong_ends(renewals[0], renewals[-1], row)
    elif row["cycle_n"] is not None:
        expected = row["first_boundary_on"]
        if cycle.first_day(row["anchor_on"], row["cycle_n"]) >= expected:
            yield f"the renewal of {expected} is missing"


def _find_wrong_ends(first: CycleName, last: CycleName, row: DictRow) -> Iterator[str]:
    """Yield where the *first* and the *last* renewal are not those of the member."""
    expected = row["first_boundary_on"]
    if first.first_day != expected:
        day = first.first_day
        yield f"the first renewal is of {day}, the first boundary {expected}"
    if row["cycle_n"] is None:
        return
    anchor_on, n = row["anchor_on"], row["cycle_n"]
    if not _reaches(last, row):
        named = f"cycle {last.cycle_n} of {last.anchor_on}"
        reached = f"cycle {n} of {anchor_on}"
        yield f"the last renewal is {named}, the ledger has reached {reached}"
    reached_on = cycle.first_day(anchor_on, n)
    if last.first_day != reached_on:
        day = last.first_day
        yield f"the last renewal is of {day}, the ledger has reached {reached_on}"


def _reaches(last: CycleName, row: DictRow) -> bool:
    """
    Whether the last renewal is of the cycle the ledger has reached.

    A change of plan on its day moved the anchor to that day.
    """
    anchor_on, n = row["anchor_on"], row["cycle_n"]
    return (anchor_on, n) in ((last.anchor_on, last.cycle_n), (last.first_day, 0))
