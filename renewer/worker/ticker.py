"""Ends a batch of the feed each second in which something was posted."""

import threading
from collections.abc import Callable

import psycopg
import structlog

from renewer.errors import RenewerError, UnknownCursor
from renewer.store.connection import Database, one_line
from renewer.store.feed import tick

EVERY_S = 1.0
AGAIN_S = 5.0
"""How long it waits for a server that is away; a pass says that it is."""

PATIENCE_S = 15.0
"""How long it waits for an answer: readers wait as long, and a pass is no reader."""

log = structlog.get_logger()


def keep_ticking(connect: Callable[[], Database], stop: threading.Event) -> None:
    """
    Tick over a connection of *connect* until *stop* is set, whatever goes wrong.

    Of several workers each asks; the database ticks once.
    """
    moved = False
    while not stop.is_set():
        try:
            with connect() as conn:
                conn.patience_s = PATIENCE_S
                while not stop.wait(EVERY_S):
                    tick(conn)
                    moved = False
        except UnknownCursor as error:
            # Passes go on; readers of the feed wait for whoever moved the ledger.
            if not moved:
                log.warning("feed.moved", error=str(error))
            moved = True
        except (psycopg.Error, RenewerError) as error:
            log.debug("feed.waiting", error=one_line(error))
        stop.wait(AGAIN_S)
