"""The ground of a comparison: the same members on one server, the same rows for all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import orjson
import psycopg

from renewer.jobs import importing, plan_files
from renewer.rules.ledger import Member
from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.store import migrations
from renewer.store.batches import describe_posting
from renewer.store.connection import Database, connect
from renewer.store.members import After, find_due_buckets
from renewer.store.revisions import find_plans
from tests.bench.generate import generate
from tests.bench.server import Cost, Server, serve
from tests.support import utc

IMPORTED, AS_OF = "2026-03-15T00:00", "2026-04-16T00:00"
BATCH = 500
TEMPLATE, ARENA = "renewer_bench", "renewer_bench_round"
SPREAD = Path(__file__).with_name("spread.sql")
"""Spreads what the planner planned over tables of rows, which others post."""


@dataclass(frozen=True)
class Round:
    """What one contestant took for all members."""

    members: int
    cost: Cost

    @property
    def rate(self) -> float:
        """Members a second, by the clock."""
        return self.members / self.cost.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the CPU a member, of server and client."""
        return self.cost.cpu_s / self.members * 1e6


class Ground:
    """A template of members on a server, and a copy of it for each round."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.members = 0
        self.entries = 0

    def describe(self) -> list[str]:
        """Return, a line each, what was measured on."""
        due = f"{self.members:,} members due, {self.entries:,} entries to post"
        return [*self._server.describe(), due]

    def fill(self, count: int) -> None:
        """Bring *count* members in, and write down what each of them is due."""
        conninfo = self._server.make(TEMPLATE)
        migrations.migrate(conninfo)
        with connect(conninfo) as conn:
            plan_files.record_plans(conn, plan_files.read_plans("upwork-2016"))
            lines = "\n".join(generate(count)).encode()
            plans = Plans(find_plans(conn))
            importing.import_members(
                conn, BytesIO(lines), plans, utc(IMPORTED), on_bad=lambda *_: None
            )
            self._plan(conn, plans)
            conn.execute("VACUUM ANALYZE")

    def _plan(self, conn: Database, plans: Plans) -> None:
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
        with connect(self._server.conninfo(TEMPLATE)) as conn:
            for members in find_due(conn):
                for member in members:
                    posting = plan_posting(member, plans, as_of)
                    document = describe_posting(posting, retry_at)
                    text = orjson.dumps(document).decode()
                    yield member.bucket, member.member_id, text

    def measure(self, run: Callable[[str], None]) -> Round:
        """Let *run* renew everybody of a new copy, and check that it did."""
        conninfo = self._server.make(ARENA, TEMPLATE)
        _, cost = self._server.measure(lambda: run(conninfo))
        self._check(conninfo)
        self._server.drop(ARENA)
        return Round(self.members, cost)

    def _check(self, conninfo: str) -> None:
        """Every contestant posts the same entries."""
        with psycopg.connect(conninfo) as conn:
            row = conn.execute(
                "SELECT count(*) FROM (SELECT member_id, seq, kind, amount, lot "
                "FROM renewer.ledger_entry INTERSECT "
                "SELECT member_id, seq, kind, amount, lot FROM bench.entry) AS same"
            ).fetchone()
        assert row == (self.entries,), f"{row} of {self.entries} entries were posted"


def find_due(conn: Database) -> Iterator[list[Member]]:
    """Yield the members who are due, a batch of a bucket at a time."""
    as_of = utc(AS_OF)
    for bucket in find_due_buckets(conn, as_of):
        after = After()
        while True:
            members, after = store.find_due(conn, bucket, as_of, as_of, after, BATCH)
            if not members:
                break
            yield members


@contextmanager
def ground() -> Iterator[Ground]:
    """Yield the ground on a new server."""
    with serve() as server:
        yield Ground(server)
