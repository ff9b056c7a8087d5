"""What all passes of one process did, and the batches that are under way."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from renewer.rules.ledger import Kind
from renewer.rules.posting import Posting


@dataclass(slots=True)
class Tally:
    """
    What was posted, by the kind of entry, and how often a member was planned anew.

    *connects* counts what was given or, of an expiry, taken: never below zero. Of a
    rollover pair one side counts.
    """

    entries: Counter[Kind] = field(default_factory=Counter)
    connects: Counter[Kind] = field(default_factory=Counter)
    conflicts: int = 0

    def add_posting(self, posting: Posting) -> None:
        """Count one posting's entries."""
        for entry in posting.entries:
            self.entries[entry.kind] += 1
            if entry.amount > 0:
                self.connects[entry.kind] += entry.amount
            elif entry.kind is Kind.EXPIRY:
                self.connects[Kind.EXPIRY] -= entry.amount

    def add(self, other: "Tally") -> None:
        """Add the tally of a batch."""
        self.entries.update(other.entries)
        self.connects.update(other.connects)
        self.conflicts += other.conflicts


class Watch:
    """
    What passes show while they work: their totals, and since when batches are in hand.

    *members* counts by what happened to them, as `Counts` does. Threads share it.
    """

    def __init__(self) -> None:
        self.members: Counter[str] = Counter()
        self.tally = Tally()
        self._began: dict[int, float] = {}
        self._guard = threading.Lock()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Count what this thread does inside as one batch that is under way."""
        thread = threading.get_ident()
        self._began[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._began[thread]

    def longest_batch_s(self, now: float) -> float:
        """Return for how long the oldest batch has been under way; 0: none is."""
        began = min(list(self._began.values()), default=now)
        return now - began

    def add(self, members: dict[str, int], tally: Tally) -> None:
        """Add what a batch did."""
        with self._guard:
            self.members.update(members)
            self.tally.add(tally)

    def totals(self) -> tuple[dict[str, int], Tally]:
        """Return a copy of the totals so far."""
        with self._guard:
            tally = Tally()
            tally.add(self.tally)
            return dict(self.members), tally
