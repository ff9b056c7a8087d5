"""
When a pass runs: at the start, every full hour, and for members announced.

Never what it writes.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import structlog
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from renewer.errors import DatabaseUnreachable, RenewerError
from renewer.jobs.passes import Options, log_pass
from renewer.jobs.renewal import renew_due
from renewer.store import Database, find_due_among, one_line
from renewer.worker.listener import listen

RETRY = timedelta(minutes=1)
"""How soon a pass is tried again after the database went away."""

log = structlog.get_logger()


def serve(
    connect: Callable[[], Database],
    listen_connect: Callable[[], Database],
    options: Options,
    prepare_pass: Callable[[Database], datetime],
    stop: threading.Event,
) -> None:
    """
    Run a pass now and at minute 0 of every hour (UTC) until *stop* is set.

    The batches in hand are finished.

    *prepare_pass* returns the time a pass acts at, or raises a RenewerError when there
    should be none. Members who are announced meanwhile are renewed within a second,
    beside a pass or between two, over *listen_connect*.
    """
    scheduler = BackgroundScheduler(timezone=UTC)

    def renew(announced: list[str] | None = None) -> None:
        try:
            with connect() as conn:
                as_of = prepare_pass(conn)
                # Anybody may announce anything: only those who are due count.
                members = None
                if announced is not None:
                    members = find_due_among(conn, announced, as_of, heed_retry=True)
            if members != []:
                log_pass(
                    renew_due(
                        connect,
                        as_of=as_of,
                        options=options,
                        trigger="schedule",
                        members=members,
                        stop=stop,
                    )
                )
        except (DatabaseUnreachable, psycopg.OperationalError) as error:
            retry_at = datetime.now(UTC) + RETRY
            log.error(  # noqa: TRY400 - expected: no traceback
                "renewal.pass_failed",
                error=one_line(error),
                retry_at=retry_at.isoformat(),
            )
            scheduler.modify_job("renew", next_run_time=retry_at)
        except RenewerError as error:
            log.error("renewal.pass_refused", error=str(error))  # noqa: TRY400
        except Exception:
            log.exception("renewal.pass_broken")

    # One job, so that the first pass, a retry and the hourly pass can never overlap. A
    # run that comes late is still run (misfire_grace_time), several missed ones are one
    # (coalesce).
    scheduler.add_job(
        renew,
        CronTrigger(minute=0, timezone=UTC),
        id="renew",
        next_run_time=datetime.now(UTC),
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
    )
    scheduler.start()
    listener = threading.Thread(
        target=listen, args=(listen_connect, renew, stop), name="listener"
    )
    listener.start()
    log.info("worker.started", catch_up=options.catch_up.value, threads=options.threads)
    stop.wait()
    scheduler.shutdown(wait=True)
    listener.join()
    log.info("worker.stopped")
