"""SIGTERM and SIGINT as an order to finish the batch in hand and stop."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LEAVE_S = 45.0
"""How long a process that was asked to stop may take before it is ended."""


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """
    Yield an event that SIGTERM and SIGINT set, so that the batch in hand is finished.

    A second signal ends the process at once, and LEAVE_S after the first it ends by
    itself: a log that nobody reads can hold a thread for ever.
    """
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        timer = threading.Timer(LEAVE_S, os._exit, [3])
        timer.daemon = True
        timer.start()

    before = {
        number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
