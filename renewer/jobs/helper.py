"""
A helper process of a pass: `python -m renewer.jobs.helper`.

`jobs/parallel.py` starts it and describes what it reads and writes.
"""

import gc
import os
import signal
import sys
import threading
from functools import partial

import orjson

from renewer.jobs.counts import BatchResult
from renewer.jobs.parallel import HelperSpec
from renewer.jobs.poster import BatchPoster, LockRetry
from renewer.jobs.recorder import PassObserver, RunningPass, RunRecorder
from renewer.jobs.renewal import renewal_planner
from renewer.jobs.scan import BucketScan
from renewer.rules.plans import Plans
from renewer.store.connection import connect, one_line
from renewer.store.revisions import find_plans
from renewer.store.schema import check_schema


class LineWriter(PassObserver):
    """Writes a line for each batch; sets *stop* when nobody reads it any more."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._guard = threading.Lock()

    def batch_done(self, batch: BatchResult) -> None:
        """Write what *batch* did."""
        self._write(batch.to_json())

    def still_alive(self) -> None:
        """Write an empty line, the heartbeat."""
        self._write(b"")

    def write_error(self, error: Exception) -> None:
        """Write why this process ends."""
        told = one_line(error) or type(error).__name__
        self._write(orjson.dumps({"error": told}))

    def _write(self, line: bytes) -> None:
        try:
            with self._guard:
                sys.stdout.buffer.write(line + b"\n")
                sys.stdout.buffer.flush()
        except OSError:
            self._stop.set()


def main() -> int:
    """Help with the pass that standard input specifies; return the exit code."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    gc.freeze()  # as the command line does
    gc.set_threshold(50_000)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # the process that began the pass is gone
    threading.Thread(target=_stop_at_end_of_input, args=[stop], daemon=True).start()
    writer = LineWriter(stop)
    try:
        help_with(HelperSpec.from_line(line), writer, stop)
    except Exception as error:
        writer.write_error(error)
        return 1
    return 0


def _stop_at_end_of_input(stop: threading.Event) -> None:
    """Set *stop* when standard input is closed: an order, or the parent's death."""
    # Not by sys.stdin: a thread that waits in it would block the interpreter's end.
    while os.read(0, 1):
        pass
    stop.set()


def help_with(spec: HelperSpec, observer: PassObserver, stop: threading.Event) -> None:
    """Work through the partition of *spec*, then through the buckets that remain."""
    settings, options = spec.settings, spec.options
    connect_helper = partial(
        connect, settings.conninfo, patience_s=settings.statement_timeout_s, stop=stop
    )
    with connect_helper() as conn:
        # The package may have been upgraded since the parent started.
        check_schema(conn)
        plans = Plans(find_plans(conn))
        planner = renewal_planner(plans, spec.as_of, options.catch_up)
        poster = BatchPoster(planner, spec.run_id, spec.retry_from, LockRetry(stop))
        recorder = RunRecorder(None, spec.as_of, observer)
        running = RunningPass(spec.as_of, poster, recorder, stop)
        scan = BucketScan(running, connect_helper, options)
        scan.run(conn, spec.partition)
        scan.run(conn)


if __name__ == "__main__":
    sys.exit(main())
