"""
When a pass runs: at the start, every full hour, and for members who are announced.

Never what it writes.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from renewer.errors import RenewerError
from renewer.host.settings import OFF
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.jobs.recorder import log_pass
from renewer.jobs.renewal import renew_due
from renewer.rules.value import value
from renewer.store.connection import (
    STOP_GRACE_S,
    Database,
    is_server_trouble,
    one_line,
)
from renewer.store.members import find_due_among
from renewer.store.runs import start_run
from renewer.worker.duties import Duties
from renewer.worker.listener import listen
from renewer.worker.liveness import Pulse
from renewer.worker.metrics import Metrics
from renewer.worker.presence import Presence
from renewer.worker.ticker import keep_ticking

RETRY = timedelta(minutes=1)
"""How soon a pass is tried again while the server is in trouble."""

TICK_S = 1.0
LEAVE_S = STOP_GRACE_S + 10
"""How long what is in hand may take once the worker was asked to stop."""

TICK_EVERY_S = 15
SHOW_S = 30
"""How often a worker writes a sign of life into its row."""

log = structlog.get_logger()


@value
class Signs:
    """What a worker shows of itself, and its duties beside passes."""

    pulse: Pulse
    metrics: Metrics
    presence: Presence
    duties: Duties
    verify_at: str


class Worker:
    """
    Runs a pass now and at minute 0 of every hour (UTC) until *stop* is set.

    *prepare_pass* returns the time a pass acts at, or raises a RenewerError when there
    should be none. Members who are announced meanwhile are renewed within a second,
    beside a pass or between two, over each of *listen_connects*: on a cluster a node
    tells only those who listen there.
    """

    def __init__(
        self,
        connect: Callable[[], Database],
        listen_connects: Sequence[Callable[[], Database]],
        options: PassOptions,
        prepare_pass: Callable[[Database], datetime],
        stop: threading.Event,
        signs: Signs,
    ) -> None:
        self._connect = connect
        self._signs = signs
        self._options = options
        self._prepare_pass = prepare_pass
        self._stop = stop
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._listeners = [
            threading.Thread(
                target=listen,
                args=(each, self.renew_announced, stop, partial(self._hear, place)),
                name="listener",
                daemon=True,
            )
            for place, each in enumerate(listen_connects)
        ]
        self._hears = dict.fromkeys(range(len(listen_connects)), False)
        self._announcing = threading.Lock()
        self._ticker = threading.Thread(
            target=keep_ticking, args=(connect, stop), name="ticker", daemon=True
        )
        self._passing = threading.Lock()
        self._retry = threading.Event()
        self._in_trouble = False
        self._announced_run: int | None = None
        self._announced_hour: datetime | None = None

    def serve(self) -> bool:
        """Work until *stop* is set; return whether what was in hand was finished."""
        # One job, so that the first pass, a retry and the hourly pass never overlap. A
        # run that comes late is still run (misfire_grace_time), several missed ones
        # are one (coalesce).
        self._scheduler.add_job(
            self._pass_hourly,
            CronTrigger(minute=0, timezone=UTC),
            id="renew",
            next_run_time=datetime.now(UTC),
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
        self._add_duties()
        self._scheduler.start()
        for listener in self._listeners:
            listener.start()
        self._ticker.start()
        options = self._options
        helpers = options.helpers
        log.info(
            "worker.started",
            catch_up=options.catch_up.value,
            threads=options.threads,
            processes=1 if helpers is None else helpers.processes,
        )
        while not self._stop.wait(TICK_S):
            self._schedule_retry()
        return self._leave()

    def _add_duties(self) -> None:
        """Add what is done beside passes; none of it waits for another."""
        signs = self._signs
        for job, seconds in ((signs.pulse.tick, TICK_EVERY_S), (self._show, SHOW_S)):
            self._scheduler.add_job(
                job,
                IntervalTrigger(seconds=seconds, timezone=UTC),
                next_run_time=datetime.now(UTC),
                misfire_grace_time=None,
                coalesce=True,
            )
        if signs.verify_at != OFF:
            hour, minute = signs.verify_at.split(":")
            self._scheduler.add_job(
                self._gather_evidence,
                CronTrigger(hour=hour, minute=minute, timezone=UTC),
                misfire_grace_time=None,
                coalesce=True,
            )

    def _gather_evidence(self) -> None:
        """Verify, then seal what was verified, once a day."""
        self._signs.duties.verify()
        if not self._stop.is_set():
            self._signs.duties.seal()

    def _hear(self, place: int, hears: bool) -> None:
        """Show whether the listener at *place* hears, and so whether all do."""
        self._hears[place] = hears
        self._signs.pulse.hear(all(self._hears.values()))
        self._show()

    def _show(self) -> None:
        self._signs.presence.show(hearing=self._signs.pulse.hearing)

    def _schedule_retry(self) -> None:
        """
        Move the next pass to a minute from now, when the last one could not be done.

        Not from within the pass: the scheduler's lock, which this takes, is held while
        the scheduler waits for the pass.
        """
        if self._retry.is_set():
            self._retry.clear()
            retry_at = datetime.now(UTC) + RETRY
            self._scheduler.modify_job("renew", next_run_time=retry_at)

    def _leave(self) -> bool:
        """Start nothing new and wait, for a while, for what is in hand."""
        self._scheduler.shutdown(wait=False)
        until = time.monotonic() + LEAVE_S
        for listener in self._listeners:
            listener.join(max(until - time.monotonic(), 0))
        finished = self._passing.acquire(timeout=LEAVE_S)
        finished = finished and not any(each.is_alive() for each in self._listeners)
        self._signs.presence.leave()
        log.info("worker.stopped", finished=finished)
        return finished

    def _pass_hourly(self) -> None:
        with self._passing:
            if not self._stop.is_set():
                self._renew(None)

    def renew_announced(self, announced: list[str] | None) -> None:
        """Renew members who were *announced*; None: anybody may have been."""
        # Several listeners share the run of the hour.
        with self._announcing:
            self._renew(announced)

    def _renew(self, announced: list[str] | None) -> None:
        """Run one pass; whatever goes wrong, the worker works on."""
        try:
            self._run_pass(announced)
        except RenewerError as error:
            if is_server_trouble(error):
                self._report_trouble(error)
            else:
                log.error("renewal.pass_refused", error=str(error))  # noqa: TRY400
        except psycopg.errors.InsufficientPrivilege as error:
            # Somebody took it away: a person has to give it back.
            log.error("renewal.pass_refused", error=one_line(error))  # noqa: TRY400
        except Exception as error:
            if is_server_trouble(error):
                self._report_trouble(error)
            else:
                log.exception("renewal.pass_broken")
        else:
            if self._in_trouble:
                self._in_trouble = False
                log.info("database.back")

    def _run_pass(self, announced: list[str] | None) -> None:
        with self._connect() as conn:
            as_of = self._prepare_pass(conn)
            # Anybody may announce anything: only those who are due count.
            members = None
            if announced is not None:
                members = find_due_among(conn, announced, as_of, heed_retry=True)
            if members == []:
                return
            run_id = None
            if members is not None:
                run_id = self._find_hourly_run(conn, as_of)
        request = PassRequest(
            as_of, self._options, "schedule", members=members, run_id=run_id
        )
        activity = self._signs.pulse.activity
        report = renew_due(self._connect, request, self._stop, activity)
        log_pass(report)
        if run_id is None:
            self._signs.metrics.durations.observe(report.seconds)
            if not self._stop.is_set():
                self._signs.duties.keep_house()

    def _find_hourly_run(self, conn: Database, as_of: datetime) -> int:
        """Return the run of this hour's announced members, new in a new hour."""
        hour = as_of.replace(minute=0, second=0, microsecond=0)
        if self._announced_run is None or self._announced_hour != hour:
            self._announced_run = start_run(
                conn, "announced", self._options.catch_up, as_of, named=True
            )
            self._announced_hour = hour
        return self._announced_run

    def _report_trouble(self, error: BaseException) -> None:
        """Say once that the server is in trouble, and try again until it is not."""
        self._retry.set()
        if not self._in_trouble and not self._stop.is_set():
            self._in_trouble = True
            retry_s = round(RETRY.total_seconds())
            log.error("database.away", error=one_line(error), retry_s=retry_s)
