"""
The signs of life of a worker, and whether it is well.

It asks nobody: a worker whose database is away is alive.
"""

import threading
import time

from renewer.jobs.tallies import Watch

LONGEST_SILENCE_S = 60.0
"""The scheduler ticks four times in it."""
LONGEST_BATCH_S = 300.0
"""A batch takes seconds; a long catch-up is many of them."""


class Pulse:
    """What a worker's threads show of themselves."""

    def __init__(self) -> None:
        self.watch = Watch()
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
        batch_s = self.watch.longest_batch_s(now)
        if batch_s > LONGEST_BATCH_S:
            problems.append(f"a batch has been under way for {batch_s:.0f} s")
        return problems
