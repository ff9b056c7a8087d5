"""
The helper processes of a pass, as the process that began it sees them.

Each works through its own partition of the buckets, then through any that remain.
Bucket leases prevent double work, so the survivors finish the partition of a process
that dies. A helper gets its specification as a line of JSON on standard input, whose
end is the order to stop, and writes a line of JSON for each batch; its exit code tells
how it ended. The process that began the pass records the counts of all.
"""

import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO

import orjson
import structlog

from renewer.jobs.counts import BatchResult
from renewer.jobs.pass_request import HelperSettings, PassOptions
from renewer.jobs.recorder import RunRecorder
from renewer.jobs.scan import Partition
from renewer.rules.ledger import CatchUp
from renewer.rules.value import value
from renewer.store.connection import STOP_GRACE_S, Database, one_line
from renewer.store.members import count_due

BATCHES_PER_PROCESS = 20
"""How many due batches a process is started for; a start costs 0.5 s of CPU."""

LOOK_S = 0.2
"""How often the supervisor checks whether the pass has to stop."""
SILENCE_GRACE_S = 30.0
"""Grace on top of the statement timeout before a silent helper counts as hung."""
LEAVE_S = STOP_GRACE_S + 5
"""How long a helper may take to end once it was asked to stop."""
HEARTBEAT_S = 1.0
CHUNK = 65_536


@value
class HelperSpec:
    """What a helper process is told; the plans it reads itself."""

    settings: HelperSettings
    options: PassOptions
    run_id: int
    as_of: datetime
    retry_from: datetime
    partition: Partition

    def to_line(self) -> bytes:
        """Return the specification as a line of JSON."""
        return orjson.dumps(self) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> "HelperSpec":
        """Return the specification that to_line wrote."""
        document = orjson.loads(line)
        options = document["options"]
        options["catch_up"] = CatchUp(options["catch_up"])
        return cls(
            HelperSettings(**document["settings"]),
            PassOptions(**options),
            document["run_id"],
            datetime.fromisoformat(document["as_of"]),
            datetime.fromisoformat(document["retry_from"]),
            Partition(**document["partition"]),
        )


def count_processes(
    conn: Database, settings: HelperSettings, as_of: datetime, batch_size: int
) -> int:
    """Return how many processes the number of due members justifies."""
    if settings.processes == 1:
        return 1
    due = count_due(conn, as_of, None)
    return max(1, min(settings.processes, due // (BATCHES_PER_PROCESS * batch_size)))


@dataclass(slots=True)
class Helper:
    """A helper process, what was read of its next line, and when it last wrote."""

    process: subprocess.Popen[bytes]
    unread: bytes = b""
    seen_at: float = field(default_factory=time.monotonic)
    was_asked: bool = False
    error: str | None = None

    @property
    def output(self) -> IO[bytes]:
        """Return the end of the pipe that the helper writes to."""
        assert self.process.stdout is not None
        return self.process.stdout

    def tell(self, line: bytes) -> None:
        """Write *line* to the helper, unless it has ended already."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def ask_to_stop(self) -> None:
        """Close the helper's standard input: it ends after the batch in hand."""
        assert self.process.stdin is not None
        self.was_asked, self.seen_at = True, time.monotonic()
        with suppress(OSError):
            self.process.stdin.close()

    def read_lines(self) -> list[bytes] | None:
        """Return the lines that have arrived; None when the helper has closed."""
        chunk = os.read(self.output.fileno(), CHUNK)
        if not chunk:
            return None
        self.seen_at = time.monotonic()
        *lines, self.unread = (self.unread + chunk).split(b"\n")
        return lines

    def end(self) -> int:
        """Wait for the helper to end, kill it after LEAVE_S; return the exit code."""
        try:
            code = self.process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.ask_to_stop()
        self.output.close()
        return code


class HelperProcesses:
    """
    Starts the helpers of a pass, counts what they do, and ends those that hang.

    They end when they are done, when *stop* is set, and when this process dies.
    """

    def __init__(
        self, recorder: RunRecorder, settings: HelperSettings, stop: threading.Event
    ) -> None:
        self._recorder = recorder
        self._silence_s = settings.statement_timeout_s + SILENCE_GRACE_S
        self._stop = stop
        self._broken = threading.Event()
        self._helpers: list[Helper] = []
        self._lost: list[tuple[int | None, str]] = []
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def start(self, specs: Sequence[HelperSpec]) -> None:
        """Start one for each of *specs*; the others do the work of one that fails."""
        for spec in specs:
            try:
                helper = Helper(start_process())
            except OSError as error:
                self._lost.append((None, one_line(error)))
                continue
            self._helpers.append(helper)
            helper.tell(spec.to_line())
        self._supervisor.start()

    def wait(self, conn: Database) -> None:
        """Wait until all have ended, and log which of them were lost."""
        while self._supervisor.is_alive():
            self._supervisor.join(HEARTBEAT_S)
            self._recorder.keep_alive(conn)
        log = structlog.get_logger()
        for process, error in self._lost:
            log.warning("renewal.process_lost", process=process, error=error)

    def dismiss(self) -> None:
        """Let the helpers finish the batch in hand and end: the pass is broken."""
        self._broken.set()
        self._supervisor.join()

    def _supervise(self) -> None:
        """Read what the helpers write until all have ended."""
        with selectors.DefaultSelector() as selector:
            for helper in self._helpers:
                selector.register(helper.output, selectors.EVENT_READ, helper)
            while selector.get_map():
                for key, _ in selector.select(LOOK_S):
                    lines = key.data.read_lines()
                    if lines is None:
                        selector.unregister(key.fileobj)
                    else:
                        self._take(key.data, lines)
                for key in selector.get_map().values():
                    self._check(key.data)
        for helper in self._helpers:
            code = helper.end()
            if code and not self._has_to_end():
                error = helper.error or describe_exit(code)
                self._lost.append((helper.process.pid, error))

    def _take(self, helper: Helper, lines: list[bytes]) -> None:
        """
        Count the batches in *lines*; an empty line is a heartbeat.

        Whatever goes wrong, the other helpers are still read: they must not wait for a
        full pipe.
        """
        try:
            for line in filter(None, lines):
                document = orjson.loads(line)
                if "error" in document:
                    helper.error = document["error"]
                else:
                    self._recorder.add(BatchResult.from_json(document))
        except Exception as error:
            helper.error = f"what it wrote cannot be counted: {one_line(error)}"
            helper.process.kill()

    def _check(self, helper: Helper) -> None:
        """Pass on the order to stop; kill a helper that has been silent too long."""
        if self._has_to_end() and not helper.was_asked:
            helper.ask_to_stop()
        timeout_s = LEAVE_S if helper.was_asked else self._silence_s
        if time.monotonic() - helper.seen_at > timeout_s:
            helper.error = "it has told nothing for too long"
            helper.process.kill()

    def _has_to_end(self) -> bool:
        return self._stop.is_set() or self._broken.is_set()


def start_process() -> subprocess.Popen[bytes]:
    """
    Start a helper process.

    It finds the code where this process did. It is in no foreground process group:
    Ctrl-C is for the process that began the pass.
    """
    path = os.pathsep.join(each or os.getcwd() for each in sys.path)  # noqa: PTH109
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "renewer.jobs.helper"],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )


def describe_exit(code: int) -> str:
    """Return how a process with exit code *code* ended."""
    if code < 0:
        names = {each.value: each.name for each in signal.Signals}
        return f"it was ended by {names.get(-code, f'signal {-code}')}"
    return f"it left with exit code {code}"
