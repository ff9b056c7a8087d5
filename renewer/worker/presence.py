"""A worker's row in table `worker`: there while it is, so that all can be counted."""

import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

import psycopg
import structlog

from renewer import store
from renewer.errors import RenewerError
from renewer.store import Database, one_line

log = structlog.get_logger()


class Presence:
    """
    Keeps the row of one worker, over *connect*, and takes it away in the end.

    *monitor* is where its health is served. While the database is away there is nothing
    to keep; a pass says so.
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
                if self._worker_id is None or not store.show_presence(
                    conn, self._worker_id, hearing=hearing
                ):
                    worker = self._worker | {"hearing": hearing}
                    self._worker_id = store.sign_in(conn, worker)
        except (psycopg.Error, RenewerError) as error:
            log.debug("worker.unseen", error=one_line(error))

    def leave(self) -> None:
        """Take the row away, if the database is there to do it."""
        if self._worker_id is None:
            return
        try:
            with self._connect() as conn:
                store.sign_out(conn, self._worker_id)
        except (psycopg.Error, RenewerError) as error:
            log.debug("worker.row_left", error=one_line(error))
