"""
Hears what the marketplace announces on channel renewer_due.

So it is applied at once and not on the hour.
"""

import threading
import uuid
from collections.abc import Callable

import structlog

from renewer.store import notifications
from renewer.store.connection import Database, one_line
from renewer.store.notifications import announce

WAIT_S = 0.5
GATHER_S = 0.05
"""How long announcements are gathered: many are looked up together."""
PROOF_S = 5.0
"""How long it waits for a notification of its own before it counts itself deaf."""
PAUSE_S = 5.0
DEAF_PAUSE_S = 300.0

log = structlog.get_logger()


def listen(
    connect: Callable[[], Database],
    renew: Callable[[list[str] | None], None],
    stop: threading.Event,
    show: Callable[[bool], None] = lambda _: None,
) -> None:
    """
    Call *renew* with the members that were announced, until *stop* is set.

    A connection that hears nothing, as through a pooler, is tried again now and then:
    the hourly pass does everything. One that is lost is made again, and then *renew* is
    called with None: anybody may have been announced meanwhile. Each change is logged
    once, and *show* is told whether it hears.
    """
    state, was_lost = "new", False
    while not stop.is_set():
        try:
            with connect() as conn:
                notifications.listen(conn)
                heard = _prove_hearing(conn, connect)
                if heard is None:
                    if state != "deaf":
                        way_out = "set RENEWER_LISTEN_URL to an address of no pooler"
                        log.warning("listener.deaf", way_out=way_out)
                    state = "deaf"
                    show(False)
                else:
                    state = "hearing"
                    show(True)
                    log.info("listener.started")
                    if was_lost:
                        renew(None)
                    was_lost = False
                    _hear(conn, heard, renew, stop)
        except Exception as error:
            # Whatever it is, an announcement must not be the last that was heard.
            if state != "lost":
                told = one_line(error)
                log.warning("listener.lost", error=told, retry_s=PAUSE_S)
            state, was_lost = "lost", True
            show(False)
        stop.wait(DEAF_PAUSE_S if state == "deaf" else PAUSE_S)


def _hear(
    conn: Database,
    heard: set[str],
    renew: Callable[[list[str] | None], None],
    stop: threading.Event,
) -> None:
    """Pass on what is announced, each member once, until *stop* is set."""
    while not stop.is_set():
        if heard:
            renew(sorted(heard))
        heard = {
            notify.payload for notify in conn.notifies(timeout=WAIT_S, stop_after=1)
        }
        if heard:
            heard |= {notify.payload for notify in conn.notifies(timeout=GATHER_S)}


def _prove_hearing(conn: Database, connect: Callable[[], Database]) -> set[str] | None:
    """
    Return what else *conn* heard before a notification from another connection.

    None when that never came. A pooler accepts LISTEN and delivers nothing. Announced
    on *conn* itself it would come back even through one, with the answer to the
    announcement.
    """
    token = f"listener {uuid.uuid4()}"
    with connect() as other:
        announce(other, token)
    heard: set[str] = set()
    for notify in conn.notifies(timeout=PROOF_S):
        if notify.payload == token:
            return heard
        heard.add(notify.payload)
    return None
