"""
No page takes longer because there are more members.

100,000 of them, and a million with `pytest --long -n0 -s tests/web/test_scale.py`. It
prints what each page asks of the database.
"""

import sys
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from starlette.testclient import TestClient

from renewer import store
from renewer.store import migrations
from tests.conftest import _create, _drop
from tests.support import load_plans
from tests.web.conftest import open_pages
from tests.web.scale import fill

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
)
MOST_ROWS = 10_000
"""Rows of a small table, which is best read from end to end."""
SLOW_MS = 5
"""A statement that takes longer is printed."""
MOST_BLOCKS = 8_000
"""
Blocks of 8 KB a page may touch; in memory some 200,000 take a second.

Of a million members the overview took 5,500 when this was written, a member's page 60.
"""


@pytest.fixture(scope="module")
def crowded(server: str, template: str, pytestconfig: pytest.Config) -> Iterator[str]:
    """A database of many members."""
    members = 1_000_000 if pytestconfig.getoption("--long") else 100_000
    name = f"renewer_crowd_{uuid.uuid4().hex}"
    conninfo = _create(server, name, template)
    migrations.migrate(conninfo, roles=True)
    with store.connect(conninfo) as conn:
        load_plans(conn)
        fill(conn, members)
    yield conninfo
    _drop(server, name)


Asked = list[tuple[str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Every statement that is executed, with its parameters."""
    seen: Asked = []
    execute = psycopg.Cursor.execute

    def remember(cursor: Any, query: Any, params: Any = None, **more: Any) -> Any:
        seen.append((query, params))
        return execute(cursor, query, params, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", remember)
    return seen


@pytest.mark.timeout(900)
def test_a_page_touches_little_however_many_members_there_are(
    crowded: str, asked: Asked
) -> None:
    """Each statement goes by an index, and few blocks are read."""
    found = []
    with open_pages(crowded) as pages, store.connect(crowded) as conn:
        for path in PAGES:
            statements = look_at(pages, path, asked)
            plans = [explain(conn, *each) for each in statements]
            blocks = sum(map(count_blocks, plans))
            took_ms = sum(plan["Execution Time"] for plan in plans)
            print(
                f"{path}: {len(plans)} statements, {blocks} blocks, {took_ms:.1f} ms",
                file=sys.stderr,
            )
            for (query, _), plan in zip(statements, plans, strict=True):
                if plan["Execution Time"] > SLOW_MS:
                    told = f"{count_blocks(plan)} blocks, {plan['Execution Time']} ms"
                    print("   ", str(query).partition("\n")[0], told, file=sys.stderr)
            scanned = {name for plan in plans for name in find_scans(plan["Plan"])}
            if scanned or blocks > MOST_BLOCKS:
                found.append((path, scanned, blocks))
    assert found == []


def look_at(pages: TestClient, path: str, asked: Asked) -> Asked:
    """Return what a page asks of the tables."""
    asked.clear()
    answer = pages.get(path)
    assert answer.status_code == (404 if "nobody" in path else 200)
    return [each for each in asked if "renewer." in str(each[0])]


def explain(conn: store.Database, query: Any, params: Any) -> dict[str, Any]:
    """Return how a statement is carried out."""
    text = query.decode() if isinstance(query, bytes) else query
    asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}"
    row = conn.execute(asked, params).fetchone()  # type: ignore[arg-type]
    assert row is not None
    plan: dict[str, Any] = row["QUERY PLAN"][0]
    return plan


def count_blocks(plan: dict[str, Any]) -> int:
    """Return how many blocks a statement touched."""
    top = plan["Plan"]
    return int(top["Shared Hit Blocks"] + top["Shared Read Blocks"])


def find_scans(node: dict[str, Any]) -> Iterator[str]:
    """Yield the tables that a statement reads from end to end, but for small ones."""
    if node["Node Type"] == "Seq Scan":
        seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        if seen * node["Actual Loops"] > MOST_ROWS:
            yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from find_scans(below)
