"""
The other processes of a pass, as the one that began it sees them.

Each does its share of the buckets and then helps with the others', by the leases that
hosts share a pass by: what one that dies leaves behind is done by the rest. They tell
what their batches did, and the process that began the run alone writes it.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection

import structlog

from renewer import store
from renewer.jobs.passes import Batch, Options, Pass
from renewer.rules.ledger import value
from renewer.rules.plans import Plans
from renewer.store import STOP_GRACE_S, Database, one_line

BATCHES_EACH = 20
"""How many batches a process is worth: its start takes half a second of the CPU."""

LOOK_S = 0.2
"""How often it is looked whether the pass has to end."""
SILENCE_S = 30.0
"""How much longer than the server may take a process may tell nothing."""
LEAVE_S = STOP_GRACE_S + 5
"""How long a process may take to leave once it was asked to."""
SIGN_S = 1.0


@value
class Crew:
    """How many processes a pass may have in all, and how each of them connects."""

    size: int
    conninfo: str
    patience_s: float

    def measure(self, conn: Database, as_of: datetime, batch_size: int) -> int:
        """Return how many processes the members who are due are worth."""
        if self.size == 1:
            return 1
        due = store.count_due(conn, as_of, None)
        return max(1, min(self.size, due // (BATCHES_EACH * batch_size)))


@value
class Share:
    """The buckets of one process, of as many as a pass has."""

    place: int
    of: int

    def has(self, bucket: int) -> bool:
        """Whether *bucket* is one of them."""
        return bucket % self.of == self.place


@value
class Order:
    """All that the processes of a pass are told of it, its rules included."""

    crew: Crew
    options: Options
    plans: Plans
    as_of: datetime
    clock: datetime
    run_id: int


class Mates:
    """The processes that help with *renewal*, until *stop* is set."""

    def __init__(self, order: Order, renewal: Pass, stop: threading.Event) -> None:
        self._order = order
        self._renewal = renewal
        self._stop = stop
        self._broken = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lost: list[tuple[int | None, str]] = []

    def start(self, share: Share) -> None:
        """Start one for *share*. Where the system refuses, the others do its work."""
        try:
            wire, their_end = Pipe()
            with their_end:
                process = start_process(their_end.fileno())
        except OSError as error:
            self._lost.append((None, one_line(error)))
            return
        following = threading.Thread(
            target=self._follow, args=(process, wire, share), daemon=True
        )
        self._threads.append(following)
        following.start()

    def wait(self, conn: Database) -> None:
        """Wait until all have left, and say which of them were lost."""
        for following in self._threads:
            while following.is_alive():
                following.join(SIGN_S)
                self._renewal.show_alive(conn)
        log = structlog.get_logger()
        for process, error in self._lost:
            log.warning("renewal.process_lost", process=process, error=error)

    def dismiss(self) -> None:
        """Let them finish the batch in hand and leave: the pass is broken."""
        self._broken.set()
        for following in self._threads:
            following.join()

    def _follow(
        self, process: subprocess.Popen[bytes], wire: Connection, share: Share
    ) -> None:
        """Count what *process* tells until it has left."""
        error = None
        try:
            with wire:
                wire.send((self._order, share))
                error = self._listen(wire)
        except (EOFError, ConnectionError):
            pass  # its end of the wire is closed
        except Exception as trouble:
            # It tells nothing any more, or what nobody understands.
            error = one_line(trouble)
            process.kill()
        code = wait_for_end(process)
        if code and not self._has_to_end():
            self._lost.append((process.pid, error or describe_end(code)))

    def _listen(self, wire: Connection) -> str:
        """Count batches; return the error a process leaves with, EOFError: without."""
        while True:
            # A process that hangs looks like a batch that takes too long.
            with self._renewal.watch.batch():
                self._wait(wire)
            told = wire.recv()
            if not isinstance(told, Batch):
                return str(told)
            self._renewal.add(told)

    def _wait(self, wire: Connection) -> None:
        """Wait for the next word; pass on that the pass has to end."""
        patience_s, was_asked = self._order.crew.patience_s + SILENCE_S, False
        until = time.monotonic() + patience_s
        while True:
            if self._has_to_end() and not was_asked:
                was_asked, until = True, time.monotonic() + LEAVE_S
                # It may have left already: what it told before is still to be read.
                with suppress(ConnectionError):
                    wire.send(None)
            if wire.poll(LOOK_S):
                return
            if time.monotonic() > until:
                raise TimeoutError("it has told nothing for too long")

    def _has_to_end(self) -> bool:
        return self._stop.is_set() or self._broken.is_set()


def start_process(descriptor: int) -> subprocess.Popen[bytes]:
    """
    Start a process that speaks over *descriptor*.

    It finds the code where this one did, prints nothing, and is in no foreground:
    Ctrl-C is for the process that began the pass.
    """
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)  # noqa: PTH109
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", "renewer.jobs.mate", str(descriptor)],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[descriptor],
        process_group=0,
    )


def wait_for_end(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process that leaves, if not by itself."""
    try:
        return process.wait(LEAVE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def describe_end(code: int) -> str:
    """Return how a process ended that could not tell."""
    if code < 0:
        names = {each.value: each.name for each in signal.Signals}
        return f"it was ended by {names.get(-code, f'signal {-code}')}"
    return f"it left with exit code {code}"
