"""
What a worker does beside passes: count the members, verify and seal the ledger, forget
old runs.

One worker at a time has a duty, whoever takes it first. What goes wrong is logged and
left to the next time: no pass depends on it.
"""

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from renewer.answers.verification import Looked, find_violations
from renewer.jobs.sealing import seal_ledger
from renewer.store.connection import Database, one_line
from renewer.store.watch import (
    begin_verification,
    prune,
    record_verification,
    take_census,
)

log = structlog.get_logger()

CENSUS_EVERY = timedelta(minutes=50)
"""At most hourly: a census reads all members."""
FIRST_CENSUS_AFTER = timedelta(minutes=5)
"""Members may have come since the last worker; one that cannot stay up must wait."""
SHARE = 1.0
"""Seconds a verification rests for each that it reads: it is in no hurry."""
LONGEST_REST_S = 30.0


class Duties:
    """The duties of one worker, over *connect*, until *stop* is set."""

    def __init__(
        self, connect: Callable[[], Database], keep_days: int, stop: threading.Event
    ) -> None:
        self._connect = connect
        self._keep_days = keep_days
        self._stop = stop
        self._census_after = FIRST_CENSUS_AFTER

    def keep_house(self) -> None:
        """Take the census, unless somebody did lately, and prune."""
        try:
            with self._connect() as conn:
                taken = take_census(conn, self._census_after)
                self._census_after = CENSUS_EVERY
                if taken:
                    prune(conn, self._keep_days)
                    log.info("census.taken")
        except Exception as error:
            log.warning("census.failed", error=one_line(error))

    def verify(self) -> None:
        """Check the invariants on live data, unless another worker does."""
        try:
            with self._connect() as conn:
                number = begin_verification(conn, hours=1)
                if number is not None:
                    self._verify(conn, number)
        except Exception as error:
            log.warning("verification.failed", error=one_line(error))

    def seal(self) -> None:
        """Seal the ledger up to the last tick; two workers that do make one chain."""
        try:
            with self._connect() as conn:
                done = seal_ledger(conn, lambda: not self._stop.is_set())
            # The head stands in the log, out of reach for who bends the ledger.
            head = done.head.head if done.head is not None else None
            log.info(
                "ledger.sealed", batches=done.batches, entries=done.entries, head=head
            )
        except Exception as error:
            log.warning("seal.failed", error=one_line(error))

    def _verify(self, conn: Database, number: int) -> None:
        looked, found = Looked(), 0
        for violation in find_violations(conn, looked, self._rest):
            found += 1
            if found == 1:
                # The first is enough to be woken up: `renewer verify` names them all.
                log.error(
                    "verification.violated",
                    invariant=violation.invariant,
                    detail=violation.detail,
                )
        finished = not self._stop.is_set()
        record_verification(
            conn,
            number,
            members=looked.members,
            entries=looked.entries,
            violations=found,
            finished=finished,
        )
        log.info(
            "verification.finished" if finished else "verification.stopped",
            members=looked.members,
            entries=looked.entries,
            violations=found,
        )

    def _rest(self, took_s: float) -> bool:
        """Leave the server to others for a while; False when the worker has to go."""
        return not self._stop.wait(min(took_s * SHARE, LONGEST_REST_S))
