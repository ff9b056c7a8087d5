"""A worker's row in table `worker`: there while it is, so that all can be counted."""

import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

import psycopg
import structlog

from renewer.errors import RenewerError
from renewer.store import watch
from renewer.store.connection import Database, one_line, read_clock

log = structlog.get_logger()


class Presence:
    """
    Keeps the row of one worker, over *connect*, and removes it in the end.

    A row that is left behind says that its worker stopped without signing out: status
    is failing until a worker starts on that host again, or for a day. *monitor* is
    where the worker's health is served. While the database is away nothing is recorded;
    a pass reports that.
    """

    def __init__(self, connect: Callable[[], Database], monitor: str) -> None:
        self._connect = connect
        self._worker = {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "version": version("renewer"),
            "monitor": monitor,
            "started_at": datetime.now(UTC),
        }
        self._worker_id: int | None = None
        # Two threads that show themselves at once are still one worker.
        self._guard = threading.Lock()

    def show(self, *, hearing: bool) -> None:
        """Record a sign of life, in a new row when there is none."""
        try:
            with self._guard, self._connect() as conn:
                if self._worker_id is None:
                    self._replace_dead(conn)
                elif watch.show_presence(conn, self._worker_id, hearing=hearing):
                    return
                worker = self._worker | {"hearing": hearing}
                self._worker_id = watch.sign_in(conn, worker)
        except (psycopg.Error, RenewerError) as error:
            log.debug("worker.unseen", error=one_line(error))

    def _replace_dead(self, conn: Database) -> None:
        """Remove the rows of workers of this host that no longer run."""
        for row in watch.find_workers(conn, read_clock(conn)):
            is_here = row["host"] == self._worker["host"]
            if is_here and not is_running(row["process"]):
                watch.sign_out(conn, row["worker_id"])
                log.info("worker.replaced", process=row["process"])

    def leave(self) -> None:
        """Take the row away, if the database is there to do it."""
        if self._worker_id is None:
            return
        try:
            with self._connect() as conn:
                watch.sign_out(conn, self._worker_id)
        except (psycopg.Error, RenewerError) as error:
            log.debug("worker.row_left", error=one_line(error))


def is_running(process: int) -> bool:
    """Return whether another process of this host has the number *process*."""
    if process == os.getpid():
        # A container that is restarted gives its worker the same number again.
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
