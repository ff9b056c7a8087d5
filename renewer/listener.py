"""Hears what the marketplace announces on channel renewer_due, so that it is applied at once and not on the hour."""

import threading
import uuid
from collections.abc import Callable

import psycopg
import structlog

from renewer.errors import DatabaseUnreachable
from renewer.queries import query
from renewer.store import Database, one_line

WAIT_S = 0.5
PROOF_S = 5.0
"""How long the listener waits for a notification of its own before it counts itself deaf."""
PAUSE_S = 5.0

log = structlog.get_logger()


def listen(connect: Callable[[], Database], renew: Callable[[list[str]], None], stop: threading.Event) -> None:
    """
    Call *renew* with the members that were announced, until *stop* is set.

    A connection that hears nothing, as through a pooler, is given up with one warning, and one that is lost is made
    again: the hourly pass does everything meanwhile.
    """
    lost = False
    while not stop.is_set():
        try:
            with connect() as conn:
                conn.execute(query("listen"))
                if not _hears_itself(conn):
                    log.warning("listener.deaf", way_out="set RENEWER_LISTEN_URL to an address that is no pooler's")
                    return
                log.info("listener.started")
                lost = False
                while not stop.is_set():
                    announced = {notify.payload for notify in conn.notifies(timeout=WAIT_S, stop_after=1)}
                    if announced:
                        renew(sorted(announced))
        except (DatabaseUnreachable, psycopg.OperationalError) as error:
            if not lost:
                log.warning("listener.lost", error=one_line(error), retry_s=PAUSE_S)
            lost = True
            stop.wait(PAUSE_S)


def _hears_itself(conn: Database) -> bool:
    """Whether a notification sent on *conn* comes back: a pooler accepts LISTEN and delivers nothing."""
    token = f"listener {uuid.uuid4()}"
    conn.execute(query("announce"), {"payload": token})
    return any(notify.payload == token for notify in conn.notifies(timeout=PROOF_S, stop_after=1))
