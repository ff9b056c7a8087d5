"""Seals the ledger: what each batch of it was, so that a change of it can be told."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from renewer.store.connection import Database
from renewer.store.feed import (
    Seal,
    find_last_seal,
    find_unsealed,
    may_tick,
    record_seal,
    seal_batch,
    tick,
)
from renewer.store.watch import check_writable

TICK_PAUSE_S = 1.05
"""A tick is not made within a second of the last."""


@dataclass(slots=True)
class Sealed:
    """What was sealed: *batches* and *entries* now; *head* is the last seal."""

    batches: int = 0
    entries: int = 0
    head: Seal | None = None


def seal_ledger(conn: Database, may_go_on: Callable[[], bool] = lambda: True) -> Sealed:
    """
    Seal the batches up to the last tick, in order; safe to repeat and to interrupt.

    Several at once make one chain: who comes second goes on from what the first sealed.

    UnknownCursor when the ledger was moved to another server, DatabaseUnreachable when
    the database is read-only.
    """
    check_writable(conn)
    done = Sealed(head=find_last_seal(conn))
    while may_go_on():
        mark = find_unsealed(conn, done.head)
        if mark is None:
            break
        seal = seal_batch(conn, done.head, mark)
        if record_seal(conn, done.head, seal):
            done.batches += 1
            done.entries += seal.entries
            done.head = seal
        else:
            done.head = find_last_seal(conn)
    return done


def end_batch(conn: Database) -> None:
    """
    End a batch of the feed after all that is posted by now, if this user may.

    Waits for a second when the last one was ended just before.
    """
    if may_tick(conn) and tick(conn) is None:
        time.sleep(TICK_PAUSE_S)
        tick(conn)
