"""Adds up what a pass does, writes it into the run's row, and reports it at the end."""

import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import NoReturn

import structlog

from renewer.errors import NodeAway
from renewer.jobs.counts import BatchResult, Counts
from renewer.jobs.poster import BatchPoster
from renewer.rules.ledger import Member
from renewer.rules.value import value
from renewer.store import watch
from renewer.store.connection import Database
from renewer.store.runs import record_progress
from renewer.store.watch import Backlog

RECORD_EVERY_S = 2.0
MAX_FAILURES_SHOWN = 100
"""How many failures a report keeps; table failure has all of them."""


class PassObserver:
    """
    Watches a pass while it runs. This one does nothing; others override its methods.

    Threads of the pass call the methods at the same time.
    """

    def batch_in_hand(self) -> AbstractContextManager[None]:
        """Return the context in which a thread plans and posts a batch."""
        return nullcontext()

    def batch_done(self, batch: BatchResult) -> None:
        """Take note of a batch of this process or of a helper process."""

    def members_read(self, number: int) -> None:
        """Take note that a backfill has looked at *number* members."""

    def still_alive(self) -> None:
        """Take note, every RECORD_EVERY_S seconds, that the pass works or waits."""


SILENT = PassObserver()


@value
class PassReport:
    """
    What a pass did.

    A dry run has no *run_id*. A *stopped* pass left members for the next pass. *left*
    is how many members are still due; None in a dry run and a backfill. *backlog* are
    the members that wait at the end; None in a dry run.
    """

    run_id: int | None
    as_of: datetime
    counts: Counts
    failures: tuple[tuple[str, str], ...]
    seconds: float
    stopped: bool = False
    left: int | None = None
    backlog: Backlog | None = None


class RunRecorder:
    """
    Holds the counts of a pass, and alone writes them into the row of run *run_id*.

    SQL adds them to the row, so that several passes may share a run. Without a *run_id*
    nothing is written: in a dry run, and in a helper process, whose counts the process
    that began the pass records.
    """

    def __init__(
        self, run_id: int | None, as_of: datetime, observer: PassObserver
    ) -> None:
        self.run_id = run_id
        self.observer = observer
        self._as_of = as_of
        self._counts = Counts()
        self._unwritten = Counts()
        self._failures: list[tuple[str, str]] = []
        self._guard = threading.Lock()
        self._began = time.monotonic()
        self._recorded = self._began

    def add(self, batch: BatchResult) -> None:
        """Count what *batch* did, in this process or in a helper process."""
        with self._guard:
            self._counts.add(batch.counts)
            self._unwritten.add(batch.counts)
            room = MAX_FAILURES_SHOWN - len(self._failures)
            self._failures.extend(batch.failures[:room])
        self.observer.batch_done(batch)

    def keep_alive(self, conn: Database) -> None:
        """Every RECORD_EVERY_S seconds, write the counts and the run's heartbeat."""
        with self._guard:
            now = time.monotonic()
            if now - self._recorded <= RECORD_EVERY_S:
                return
            self._recorded = now
        self.observer.still_alive()
        self._write(conn)

    def skip(self, locked: int) -> None:
        """Count members that were locked to the end, once each; they stay due."""
        self.add(BatchResult(Counts(due=locked, skipped=locked)))

    def give_up(self, conn: Database, away: Iterable[str]) -> NoReturn:
        """End the pass and raise NodeAway; members on the nodes *away* stay due."""
        self._write(conn, finished=True, stopped=True)
        wrong = "; ".join(sorted(away))
        raise NodeAway(
            f"{wrong}: members there stay due, {self._counts.due} of other nodes were "
            "taken up; run it again when it is back"
        )

    def finish(
        self, conn: Database, *, stopped: bool, left: int | None = None
    ) -> PassReport:
        """End the pass and return its report."""
        backlog = None
        if self.run_id is not None:
            # This write is synchronous: it flushes every asynchronous commit before it.
            self._write(conn, finished=True, stopped=stopped)
            backlog = watch.find_backlog(conn, self._as_of)
        return PassReport(
            self.run_id,
            self._as_of,
            self._counts,
            tuple(self._failures),
            round(time.monotonic() - self._began, 3),
            stopped,
            left,
            backlog,
        )

    def _write(
        self, conn: Database, *, finished: bool = False, stopped: bool = False
    ) -> None:
        """Add what was counted since the last write to the run's row."""
        if self.run_id is None:
            return
        with self._guard:
            unwritten, self._unwritten = self._unwritten, Counts()
        record_progress(
            conn, self.run_id, unwritten.as_dict(), finished=finished, stopped=stopped
        )


@value
class RunningPass:
    """A pass under way: its poster, its recorder, and the order to *stop*."""

    as_of: datetime
    poster: BatchPoster
    recorder: RunRecorder
    stop: threading.Event

    def post(self, conn: Database, members: Sequence[Member]) -> list[str]:
        """Post *members* as one batch; return those that stayed locked, uncounted."""
        with self.recorder.observer.batch_in_hand():
            batch = self.poster.post(conn, members)
        self.recorder.add(batch)
        self.recorder.keep_alive(conn)
        return batch.locked


def log_pass(report: PassReport, what: str = "renewal") -> None:
    """Write the one canonical line of a pass; *what* it was is the event's noun."""
    event = f"{what}.pass_stopped" if report.stopped else f"{what}.pass_finished"
    structlog.get_logger().info(
        event,
        run_id=report.run_id,
        as_of=report.as_of.isoformat(),
        seconds=report.seconds,
        left=report.left,
        **describe_backlog(report),
        **report.counts.as_dict(),
    )


def describe_backlog(report: PassReport) -> dict[str, int | None]:
    """Return the lag after a pass, and how many members fail or are parked."""
    backlog = report.backlog
    if backlog is None:
        return {"lag_seconds": None, "failing": None, "parked": None}
    return {
        "lag_seconds": backlog.lag_seconds,
        "failing": backlog.failing,
        "parked": backlog.parked,
    }
