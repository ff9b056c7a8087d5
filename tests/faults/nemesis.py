"""
An adversary of real processes and connections, whose every choice comes from a seed.

Passes are killed, stopped and continued, their server processes ended and their
connections cut, the server crashes and clocks are moved, while an application calls
and repeats what it got no answer to.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import psycopg

from renewer.store.connection import connect, is_server_trouble
from tests.faults.proxy import Proxy
from tests.faults.scene import OwnServer
from tests.support import ROOT

WORKERS = 2
REFUSALS = {"RN002", "RN004"}
"""Not enough, and all returned: what an application runs into."""

PASSES = {"RENEWER_BATCH_SIZE": "5", "RENEWER_THREADS": "2"}


class Answer(NamedTuple):
    """What an acknowledged call moved, and where its entries stand."""

    amount: int
    first_seq: int
    last_seq: int


@dataclass
class Spender:
    """
    An application that spends, returns, buys, enrols and asks for what needs a rule.

    It repeats a call that was not answered with the same reference until it is.
    *answers* are the calls that moved Connects, by member and reference; *enrolled* are
    the anchors of members it brought.
    """

    name: str
    address: str
    members: Sequence[str]
    began: datetime
    chance: random.Random
    stop: threading.Event
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    enrolled: dict[str, date] = field(default_factory=dict)
    spent: list[tuple[str, str, int]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    repeated: int = 0
    _conn: psycopg.Connection[Any] | None = None

    def work(self) -> None:
        """Call until *stop* is set; what is not expected is kept and ends it."""
        number = 0
        try:
            while not self.stop.is_set():
                number += 1
                self._call_once(f"{self.name}-{number}")
        except Exception as error:
            self.unexpected.append(f"{self.name}-{number}: {error!r}")
        if self._conn is not None:
            self._conn.close()

    def _call_once(self, reference: str) -> None:
        chance = self.chance
        member_id = chance.choice([*self.members, *self.enrolled])
        amount = chance.randint(1, 7)
        known = {"member_id": member_id, "reference": reference}
        match chance.randrange(10):
            case 0:
                self._enrol(reference)
            case 1:
                self._move(amount, "purchase", **known, amount=amount)
            case 2:
                # Two names of one zone: only that it is applied can be told.
                zone = chance.choice(("UTC", "Etc/UTC"))
                self._ask("set_timezone", **known, timezone=zone)
            case 3 | 4 if self.spent:
                whose, spend, spent = self.spent.pop(chance.randrange(len(self.spent)))
                back = chance.randint(1, spent)
                known |= {"member_id": whose, "spend_reference": spend}
                self._move(back, "refund", **known, amount=back)
            case _:
                if self._move(-amount, "spend", **known, amount=amount):
                    self.spent.append((member_id, reference, amount))

    def _enrol(self, reference: str) -> None:
        anchor_on = self.began.date() - timedelta(days=self.chance.randint(0, 200))
        member = {"member_id": reference, "plan": "plus", "anchor_on": anchor_on}
        more = {"timezone": "UTC", "status": "active", "at": self.began}
        self._ask("enroll", **member, **more, reference=reference)
        self.enrolled[reference] = anchor_on

    def _move(self, moved: int, function: str, **arguments: Any) -> bool:
        """Call what moves as many as *moved*; return whether it was not refused."""
        row = self._ask(function, **arguments)
        if row is None:
            return False
        key = arguments["member_id"], arguments["reference"]
        self.answers[key] = Answer(moved, row["first_seq"], row["last_seq"])
        return True

    def _ask(self, function: str, **arguments: Any) -> dict[str, Any] | None:
        """Call until there is an answer; None when it is a refusal."""
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        asked = f"SELECT * FROM renewer.{function}({named})"
        while True:
            try:
                if self._conn is None or self._conn.closed:
                    self._conn = connect(self.address)
                return self._conn.execute(asked, arguments).fetchone()
            except Exception as error:
                if getattr(error, "sqlstate", None) in REFUSALS:
                    return None
                if not is_server_trouble(error):
                    raise
                self.repeated += 1
                time.sleep(0.02)
                if self._conn is not None:
                    self._conn.close()


class Clocks:
    """
    The clocks of the passes' host and of the server, each as far off as its file says.

    They stay less than ten minutes apart: beyond that a pass is refused. The server's
    only goes forward, so that no call is made before the last one.
    """

    def __init__(self, folder: Path, library: Path) -> None:
        self._host, self._server = folder / "host-clock", folder / "server-clock"
        self._server_s = 0
        self.of_host = self._environment(self._host, library)
        self.of_server = self._environment(self._server, library)

    def move(self, chance: random.Random) -> None:
        """Move both to another time at once."""
        self._server_s = min(self._server_s + chance.randint(0, 60), 240)
        self._host.write_text(f"{chance.randint(-240, 240):+}s")
        self._server.write_text(f"{self._server_s:+}s")

    def _environment(self, clock: Path, library: Path) -> dict[str, str]:
        clock.write_text("+0s")
        clock.chmod(0o644)
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@dataclass
class Nemesis:
    """
    Torments passes until its time is over.

    *told* counts what it did. *codes* are the exit codes of the passes it did not kill,
    *left* those of workers that left by themselves.
    """

    server: OwnServer
    clocks: "Clocks | None"
    proxy: Proxy
    folder: Path
    chance: random.Random
    told: dict[str, int] = field(default_factory=dict)
    codes: set[int] = field(default_factory=set)
    left: list[int] = field(default_factory=list)
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _logs: list[BinaryIO] = field(default_factory=list)
    _passes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _started: int = 0

    def torment(self, seconds: float) -> None:
        """Do one harm after the other for *seconds*, then let all leave in peace."""
        harms: list[Callable[[], None]] = [
            self.kill,
            self.pause,
            self.start_pass,
            self.end_backend,
            self.end_backend,
            self.cut_connection,
            self.cut_connection,
            self.crash_server,
        ]
        if self.clocks is not None:
            harms.append(partial(self.clocks.move, self.chance))
        for _ in range(WORKERS):
            worker, log = self._start("worker")
            self._workers.append(worker)
            self._logs.append(log)
        try:
            self._await_work()
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(self.chance.uniform(0.0, 0.4))
                harm = self.chance.choice(harms)
                name = getattr(harm, "func", harm).__name__
                self.told[name] = self.told.get(name, 0) + 1
                harm()
        finally:
            self._leave()

    def _await_work(self) -> None:
        """Wait until a worker came to work: on a busy machine that takes a while."""
        deadline = time.monotonic() + 60
        worked = "SELECT FROM renewer.run WHERE trigger = 'schedule'"
        with self._connect() as conn:
            while conn.execute(worked).fetchone() is None:
                assert time.monotonic() < deadline, "no worker came to work"
                time.sleep(0.1)

    def kill(self) -> None:
        """
        Kill a worker and start another in its place.

        One that has said nothing yet is most often let live: it takes a second to come
        to work.
        """
        place = self.chance.randrange(WORKERS)
        spare = self.chance.random() < 0.8
        if spare and not os.fstat(self._logs[place].fileno()).st_size:
            return
        self._note_left(self._workers[place])
        self._workers[place].kill()
        self._workers[place].wait()
        self._logs[place].close()
        self._workers[place], self._logs[place] = self._start("worker")

    def pause(self) -> None:
        """Stop a worker for a while, wherever it is, and let it go on."""
        worker = self.chance.choice(self._workers)
        worker.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.uniform(0.1, 0.6))
        worker.send_signal(signal.SIGCONT)

    def start_pass(self) -> None:
        """Start a pass by hand, of some time in the past; kill the one before."""
        if self._passes:
            before = self._passes.pop()
            if before.poll() is None:
                before.kill()
            elif before.returncode is not None:
                self.codes.add(before.returncode)
            before.wait()
        as_of = f"{self.chance.randint(2017, 2025)}-05-31"
        started, log = self._start("run", "--as-of", as_of)
        log.close()
        self._passes.append(started)

    def end_backend(self) -> None:
        """End the server's process of a pass or an application, or crash it."""
        crash = self.chance.random() < 0.1
        with suppress(psycopg.OperationalError), self._connect() as conn:
            rows = conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid() AND "
                "application_name = 'renewer' ORDER BY pid"
            ).fetchall()
            if not rows:
                return
            (pid,) = self.chance.choice(rows)
            if crash:
                # All others end with it: the server recovers by itself.
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            else:
                conn.execute("SELECT pg_terminate_backend(%s)", [pid])

    @property
    def address(self) -> str:
        """The server, through the proxy."""
        return self.proxy.through(self.server.conninfo)

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server.conninfo, autocommit=True)

    def cut_connection(self) -> None:
        """Reset one connection through the proxy."""
        links = [link for link in self.proxy.links if link.is_open]
        if links:
            self.chance.choice(links).reset()

    def crash_server(self) -> None:
        """Stop the server without a checkpoint, or kill it, and start it again."""
        if self.chance.random() < 0.5:
            self.server.stop("immediate")
        else:
            pid = self.server.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        time.sleep(self.chance.uniform(0.0, 0.5))
        self.start_server()

    def start_server(self) -> None:
        """Start the server; processes of a killed one may take a moment to end."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self.server.start(self.clocks.of_server if self.clocks else None)
            except subprocess.CalledProcessError:
                assert time.monotonic() < deadline, "the server does not start again"
                time.sleep(0.2)
            else:
                return

    def _start(self, *arguments: str) -> tuple[subprocess.Popen[bytes], BinaryIO]:
        """Start a pass; return it and the log it writes."""
        self._started += 1
        env = os.environ | PASSES | {"RENEWER_DATABASE_URL": self.address}
        if self.clocks is not None:
            env |= self.clocks.of_host
        log = (self.folder / f"{self._started:04}.log").open("wb")
        started = subprocess.Popen(
            [sys.executable, "-m", "renewer", *arguments],
            env=env,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        return started, log

    def _note_left(self, worker: subprocess.Popen[bytes]) -> None:
        if worker.poll() is not None:
            assert worker.returncode is not None
            self.left.append(worker.returncode)

    def _leave(self) -> None:
        """Ask all to leave and wait for them."""
        for worker in self._workers:
            self._note_left(worker)
            worker.terminate()
        for process in [*self._workers, *self._passes]:
            self.codes.add(process.wait(timeout=60))
        for log in self._logs:
            log.close()

    def complaints(self) -> list[str]:
        """Return what passes said of defects: trouble of the server is none."""
        lines = [
            line
            for path in sorted(self.folder.glob("*.log"))
            for line in path.read_text(errors="replace").splitlines()
        ]
        words = ("Traceback", "pass_broken", "pass_refused")
        return [line for line in lines if any(word in line for word in words)]
