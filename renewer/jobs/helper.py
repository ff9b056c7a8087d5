"""
A process that helps with a pass which another one began.

`python -m renewer.jobs.mate DESCRIPTOR`, where it is told what to do. It leaves after
the batches in hand when it is asked to, or when nobody listens any more.
"""

import gc
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection

from renewer import store
from renewer.jobs.crew import Order, Share
from renewer.jobs.passes import Batch, Pass
from renewer.jobs.renewal import Walk, renewal_planner
from renewer.store import one_line, schema


class Wire:
    """The wire to the process that began the pass; *stop* is set when it has to end."""

    def __init__(self, connection: Connection, stop: threading.Event) -> None:
        self._connection = connection
        self._stop = stop
        self._guard = threading.Lock()

    def hear_the_end(self) -> None:
        """Wait until the other side says that it is over, or is gone."""
        with suppress(EOFError, OSError):
            self._connection.recv()
        self._stop.set()

    def tell(self, word: Batch | str) -> None:
        """Tell what a batch did, or why this process leaves."""
        try:
            with self._guard:
                self._connection.send(word)
        except OSError:
            self._stop.set()


def main() -> int:
    """Help with the pass that is told first; return the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gc.freeze()  # as the command line does
    gc.set_threshold(50_000)
    connection = Connection(int(sys.argv[1]))
    try:
        order, share = connection.recv()
    except (EOFError, OSError):
        return 0  # nobody needs help any more
    wire = Wire(connection, stop)
    threading.Thread(target=wire.hear_the_end, daemon=True).start()
    try:
        help_with(order, share, wire, stop)
    except Exception as error:
        wire.tell(one_line(error) or type(error).__name__)
        return 1
    return 0


def help_with(order: Order, share: Share, wire: Wire, stop: threading.Event) -> None:
    """Do a *share* of the pass, then what is left of the others' shares."""
    crew, options = order.crew, order.options
    connect = partial(
        store.connect, crew.conninfo, patience_s=crew.patience_s, stop=stop
    )
    renewal = Pass(
        renewal_planner(order.plans, order.as_of, options.catch_up),
        order.as_of,
        order.clock,
        order.run_id,
        tell=wire.tell,
    )
    walk = Walk(renewal, connect, options, stop)
    with connect() as conn:
        # An upgrade may have brought newer code than that of who began.
        schema.check_schema(conn)
        walk.go(conn, share)
        walk.go(conn)


if __name__ == "__main__":
    sys.exit(main())
