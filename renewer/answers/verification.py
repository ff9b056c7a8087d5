"""
Checks the invariants on live data and names every member that breaks one, and what of
the schema is not as this release defines it.

Members are checked in stretches of their ids, each in a snapshot of its own, so a pass
that runs meanwhile disturbs nothing and is not mistaken for an error.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow

from renewer.answers.drift import find_drift
from renewer.errors import RenewerError
from renewer.rules.boundary import expected_boundary
from renewer.rules.cycle_history import find_misplaced
from renewer.rules.value import value
from renewer.store.connection import Database, snapshot, stream
from renewer.store.members import read_cycle, read_member
from renewer.store.watch import count_looked_at, find_stretch


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
    conn: Database,
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
    with snapshot(conn):
        for detail in find_drift(conn):
            yield Violation(6, None, detail)
    while True:
        began = time.monotonic()
        with snapshot(conn):
            until = find_stretch(conn, after, STRETCH)
            stretch = {"after": after, "until": until}
            looked.add(count_looked_at(conn, stretch))
            yield from _check_stretch(conn, stretch)
        if not pause(time.monotonic() - began) or until is None:
            return
        after = until


def _check_stretch(conn: Database, stretch: dict[str, Any]) -> Iterator[Violation]:
    """Yield the violations of the members, real or not, whose ids lie in *stretch*."""
    for invariant, name in BY_QUERY:
        for row in stream(conn, name, stretch):
            yield Violation(invariant, row["member_id"], row["detail"])
    for row in stream(conn, "verification/find_calendars", stretch):
        yield from _check_calendar(row)


def _check_calendar(row: DictRow) -> Iterator[Violation]:
    """Compare one member's cycle, renewals and next boundary with the calendar."""
    member_id = row["member_id"]
    try:
        member = read_member(row)
        renewals = [read_cycle(*key) for key in row["renewals"] or ()]
        for detail in find_misplaced(member, renewals):
            yield Violation(3, member_id, detail)
        renews_at = expected_boundary(member)
    except (RenewerError, TypeError, ValueError) as error:
        yield Violation(4, member_id, str(error))
        return
    if member.renews_at != renews_at:
        detail = f"renews_at is {member.renews_at.isoformat()}"
        detail += f", the calendar says {renews_at.isoformat()}"
        yield Violation(4, member_id, detail)
