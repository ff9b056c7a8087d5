"""
The signs of life of a worker, and whether it is well.

It asks nobody: a worker whose database is away is alive.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from renewer.jobs.counts import BatchResult, Counts
from renewer.jobs.recorder import PassObserver

LONGEST_SILENCE_S = 60.0
"""The scheduler ticks four times in it."""
LONGEST_BATCH_S = 300.0
"""A batch takes seconds; a long catch-up is many of them."""


class PassActivity(PassObserver):
    """The counts of all passes of this process, and the batches in hand."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._began: dict[int, float] = {}
        self._guard = threading.Lock()

    @contextmanager
    def batch_in_hand(self) -> Iterator[None]:
        """Time what this thread does inside as one batch."""
        thread = threading.get_ident()
        self._began[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._began[thread]

    def batch_done(self, batch: BatchResult) -> None:
        """Add the counts of *batch*."""
        with self._guard:
            self._counts.add(batch.counts)

    def longest_batch_s(self, now: float) -> float:
        """Return the age of the oldest batch in hand; 0 if there is none."""
        began = min(list(self._began.values()), default=now)
        return now - began

    def totals(self) -> Counts:
        """Return a copy of the counts so far."""
        totals = Counts()
        with self._guard:
            totals.add(self._counts)
        return totals


class Pulse:
    """What a worker's threads show of themselves."""

    def __init__(self) -> None:
        self.activity = PassActivity()
        self._hearing = threading.Event()
        self._ticked = time.monotonic()

    def tick(self) -> None:
        """Show that the scheduler runs what it is given."""
        self._ticked = time.monotonic()

    @property
    def hearing(self) -> bool:
        """Whether the listener hears what is announced."""
        return self._hearing.is_set()

    def hear(self, hears: bool) -> None:
        """Show whether the listener hears."""
        if hears:
            self._hearing.set()
        else:
            self._hearing.clear()

    def find_problems(self, now: float | None = None) -> list[str]:
        """Return, a line each, why this process should be started anew."""
        # The monotonic clock: one that is set must look like no silence.
        now = time.monotonic() if now is None else now
        problems = []
        silent_s = now - self._ticked
        if silent_s > LONGEST_SILENCE_S:
            problems.append(f"the scheduler has not ticked for {silent_s:.0f} s")
        batch_s = self.activity.longest_batch_s(now)
        if batch_s > LONGEST_BATCH_S:
            problems.append(f"a batch has been under way for {batch_s:.0f} s")
        return problems
