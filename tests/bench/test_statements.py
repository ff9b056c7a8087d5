"""
What a statement reads grows with what it answers, never with how many members exist.

In a database of 100,000 of them, and a million with
`pytest --long -n0 -s tests/bench/test_statements.py`, which prints what each one read.
What a page, a pass, a command or a call asks goes by the indexes that the statement's
header names, and reads no more rows than the header says.
"""

import re
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import psycopg
import pytest
import structlog
from psycopg import pq
from typer.testing import CliRunner

from renewer.cli.app import app
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.jobs.renewal import renew_due
from renewer.store import migrations
from renewer.store.connection import Database, connect, read_clock
from renewer.store.queries import sql_folder
from tests.bench.crowd import MOVEMENTS, fill
from tests.conftest import _create, _drop
from tests.support import load_plans
from tests.web.conftest import open_pages

PAGES = (
    "/",
    "/help",
    "/runs/19999",
    "/members/m1",
    "/members/m1?days=7",
    "/members/m2",
    "/members/m4",
    "/members/m77",
    "/members/nobody",
    "/api/status",
    "/api/runs",
    "/api/plans",
    "/api/help",
    "/api/members/m1",
    "/api/members/m1/statement?before=4000&limit=200",
    "/api/members/m1/cycles",
    "/api/members/m3",
    "/api/events?limit=50",
)
COMMANDS = (
    "explain m1",
    "history m2",
    "preview m2",
    "status",
    "failures park m102",
    "failures retry m102",
    "run --member m9 --member m10",
    "run",
)
CALLS = (
    "spend('m5', 7, 'a')",
    "spend('m5', 7, 'a')",
    "spend('m1', 7, 'a')",
    "refund('m5', 'a', 'b')",
    "purchase('m5', 7, 'c')",
    "grant_bonus('m5', 7, 'd')",
    "change_plan('m6', 'plus', 'next_cycle', 'a')",
    "set_status('m6', 'suspended', 'b')",
    "set_timezone('m6', 'Europe/Berlin', 'c')",
    "enroll('new', 'basic', '2026-01-31', 'UTC', 'active', 'a')",
    "balance_at('m1', now())",
    "balance_at('m1', '2000-01-01')",
)
ROUTINES = sql_folder() / "routines" / "marketplace"
FEW = 10_000
"""Rows of a small table, which is best read from end to end."""
MOST_BLOCKS = 8_000
"""
Blocks of 8 KB a page may touch; in memory some 200,000 take a second.

Of a million members the overview took 5,500 when this was written, a member's page 60.
"""
READS = re.compile(r"(\d+) (?:rows?|for each (\w+))")
"""What a header says under "Reads": so many rows, and so many for each of a unit."""


@dataclass(frozen=True)
class Look:
    """What a statement did: *read* counts rows, *scanned* names tables read whole."""

    read: int
    returned: int
    indexes: frozenset[str]
    scanned: frozenset[str]
    blocks: int


@pytest.fixture(scope="module")
def crowded(server: str, template: str, pytestconfig: pytest.Config) -> Iterator[str]:
    """A database of many members."""
    members = 1_000_000 if pytestconfig.getoption("--long") else 100_000
    name = f"renewer_crowd_{uuid.uuid4().hex}"
    conninfo = _create(server, name, template)
    migrations.migrate(conninfo, roles=True)
    with connect(conninfo) as conn:
        load_plans(conn)
        fill(conn, members)
    yield conninfo
    _drop(server, name)


class Watched:
    """Sees how each statement of sql/queries is carried out, just before it is."""

    def __init__(self, execute: Callable[..., Any]) -> None:
        self.looks: dict[Path, list[Look]] = defaultdict(list)
        self._execute = execute
        self._guard = Lock()
        files = sql_folder().glob("queries/*/*.sql")
        self._files = {path.read_text(): path for path in files}

    def look(self, cursor: Any, query: Any, params: Any) -> None:
        """Let the server explain *query* in the same session, and undo it."""
        text = query.decode() if isinstance(query, bytes) else query
        path = self._files.get(text)
        if path is None or "FROM renewer." not in text.replace("UPDATE", "FROM"):
            return
        idle = cursor.connection.info.transaction_status == pq.TransactionStatus.IDLE
        with psycopg.Cursor(cursor.connection) as side:
            self._execute(side, "BEGIN" if idle else "SAVEPOINT look")
            asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}"
            plan = self._execute(side, asked, params).fetchone()
            self._execute(side, "ROLLBACK" if idle else "ROLLBACK TO look")
        found = read_plan(plan["QUERY PLAN"][0]["Plan"])
        with self._guard:
            self.looks[path].append(found)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Watch every statement from here on."""
    execute = psycopg.Cursor.execute
    watched = Watched(execute)

    def look_first(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
        watched.look(cursor, query, params)
        return execute(cursor, query, params, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", look_first)
    yield watched
    # A command writes its log to a stream that ends with it.
    structlog.reset_defaults()


def find_nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a node of a plan and all below it."""
    yield node
    for below in node.get("Plans", ()):
        yield from find_nodes(below)


def count_rows(node: dict[str, Any]) -> int:
    """Return how many rows of a table or an index a node took up."""
    if not node["Node Type"].endswith(("Seq Scan", "Index Scan", "Only Scan")):
        return 0
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    rows = node["Actual Rows"] + sum(node.get(each, 0) for each in removed)
    return round(rows * node["Actual Loops"])


def read_plan(top: dict[str, Any]) -> Look:
    """Return what a statement did, from its plan."""
    nodes = list(find_nodes(top))
    scans = [
        each["Relation Name"]
        for each in nodes
        if each["Node Type"] == "Seq Scan" and count_rows(each) > FEW
    ]
    return Look(
        sum(map(count_rows, nodes)),
        round(top["Actual Rows"]),
        frozenset(
            each["Index Name"]
            for each in nodes
            # Those of the system's own catalogs are small.
            if not each.get("Index Name", "pg_").startswith("pg_")
        ),
        frozenset(scans),
        top["Shared Hit Blocks"] + top["Shared Read Blocks"],
    )


def count_units(conn: Database) -> dict[str, int]:
    """Return how many there are of each unit that a header counts by."""
    row = conn.execute(
        "SELECT count(*) AS member, count(*) FILTER (WHERE due_at <= now()) AS due, "
        "count(*) FILTER (WHERE retry_at IS NOT NULL OR parked) AS failing "
        "FROM renewer.member"
    ).fetchone()
    assert row is not None
    # Of the one member who has moved many; nobody has more than one open lot or call.
    return row | {"entry": MOVEMENTS + 5, "lot": 1, "call": 1}


def judge(path: Path, look: Look, units: dict[str, int]) -> str | None:
    """Return what *look* has against the header of a statement or routine."""
    header = re.split(r"^(?=[^-])", path.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
    named = set(re.findall(r"\w+_(?:idx|pkey|key)\b", header))
    allowed = sum(
        int(count) * (units | {"": 1, "returned": look.returned})[unit]
        for count, unit in READS.findall(header.partition("-- Reads:")[2])
    )
    scans = look.scanned if "for each member" not in header else frozenset()
    if look.indexes <= named and not scans and look.read <= allowed:
        return None
    return f"{path.stem}: at most {allowed} rows by {sorted(named)}, not {look}"


@pytest.mark.timeout(900)
def test_what_a_statement_reads_is_what_its_header_says(
    crowded: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of pages, passes and commands; a page touches few blocks besides."""
    monkeypatch.setenv("RENEWER_DATABASE_URL", crowded)
    with connect(crowded) as conn:
        units = count_units(conn)
    wide = []
    with open_pages(crowded) as pages:
        for path in PAGES:
            before = count_blocks(watched)
            answer = pages.get(path)
            assert answer.status_code == (404 if "nobody" in path else 200)
            blocks = count_blocks(watched) - before
            if blocks > MOST_BLOCKS:
                wide.append((path, blocks))
    for command in COMMANDS:
        done = CliRunner().invoke(app, command.split())
        assert done.exit_code == 0, done.output
    found = []
    for statement, looks in sorted(watched.looks.items()):
        found += [judge(statement, each, units) for each in looks]
        most = max(looks, key=lambda look: look.read)
        told = f"{statement.stem}: {most.read} rows for {most.returned}"
        print(told, file=sys.stderr)
    assert len(watched.looks) > 25
    assert [each for each in found if each] == []
    assert wide == []


def count_blocks(watched: Watched) -> int:
    """Return how many blocks all statements touched up to now."""
    return sum(look.blocks for looks in watched.looks.values() for look in looks)


class Statistics:
    """What the server counted of tables and indexes since it was asked last."""

    def __init__(self, conn: Database) -> None:
        self._conn = conn
        self._before = self._read()

    def look(self) -> Look:
        """Return what happened since."""
        before, self._before = self._before, self._read()
        used = {key: now - before[key] for key, now in self._before.items()}
        return Look(
            sum(used[key] for key in used if key[0] == "read"),
            1,
            frozenset(key[1] for key in used if key[0] == "index" and used[key]),
            frozenset(key[1] for key in used if key[0] == "scan" and used[key] > FEW),
            0,
        )

    def _read(self) -> dict[tuple[str, str], int]:
        self._conn.execute("SELECT pg_catalog.pg_stat_force_next_flush()")
        rows = self._conn.execute(
            "SELECT 'index' AS what, indexrelname AS name, idx_scan AS n "
            "FROM pg_stat_user_indexes WHERE schemaname = 'renewer' UNION ALL "
            "SELECT 'scan', relname, seq_tup_read FROM pg_stat_user_tables "
            "WHERE schemaname = 'renewer' UNION ALL "
            "SELECT 'read', relname, seq_tup_read + coalesce(idx_tup_fetch, 0) "
            "FROM pg_stat_user_tables WHERE schemaname = 'renewer'"
        )
        return {(row["what"], row["name"]): row["n"] for row in rows}


@pytest.mark.timeout(900)
def test_what_a_call_reads_is_what_its_header_says(crowded: str) -> None:
    """What stands inside a function no plan shows: the server's statistics do."""
    found = []
    with connect(crowded) as conn:
        units = count_units(conn)
        statistics = Statistics(conn)
        for call in CALLS:
            conn.execute(f"SELECT renewer.{call}".encode())
            look = statistics.look()
            print(f"{call}: {look.read} rows", file=sys.stderr)
            found.append(judge(ROUTINES / f"{call.partition('(')[0]}.sql", look, units))
    assert [each for each in found if each] == []


@pytest.mark.timeout(900)
def test_a_pass_reads_a_few_rows_for_each_who_is_due(crowded: str) -> None:
    """Selecting, posting and counting what is left, all statements together."""
    with connect(crowded) as conn:
        conn.execute(
            "UPDATE renewer.member SET requested_at = now() WHERE member_id IN "
            "(SELECT 'm' || 1000 + n FROM generate_series(1, 2000) AS n)"
        )
        # Until now one in five was due.
        conn.execute("VACUUM ANALYZE renewer.member")
        due = count_units(conn)["due"]
        statistics = Statistics(conn)
        report = renew_due(
            partial(connect, crowded),
            PassRequest(read_clock(conn), PassOptions(threads=1)),
        )
        look = statistics.look()
    print(f"a pass over {due}: {look.read} rows", file=sys.stderr)
    assert report.left == 0
    assert due > 1900
    assert look.read <= 20 * due + FEW
    assert look.scanned == frozenset()


@pytest.mark.parametrize(
    "path",
    [
        sql_folder() / "queries" / "members" / "find_due_members.sql",
        ROUTINES / "spend.sql",
    ],
    ids=lambda path: path.stem,
)
def test_a_statement_that_reads_more_than_it_says_is_found(path: Path) -> None:
    """As are one that goes by another index, and one that reads a table whole."""
    units = {"lot": 1}
    good = Look(7, 1, frozenset({"lot_open_idx"}), frozenset(), 0)
    assert judge(path, good, units) is None
    nothing: frozenset[str] = frozenset()
    for bad in (
        Look(10_000, 1, good.indexes, nothing, 0),
        Look(7, 1, frozenset({"ledger_entry_xact_idx"}), nothing, 0),
        Look(7, 1, good.indexes, frozenset({"member"}), 0),
    ):
        assert judge(path, bad, units) is not None
