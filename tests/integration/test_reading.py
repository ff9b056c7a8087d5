"""What the marketplace's application may read, and how its calls are refused."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from renewer.store import migrations
from renewer.store.connection import Database
from tests.support import ROOT, bring_in, load_plans, renew, utc

pytestmark = pytest.mark.one_server("a role that may not log in reaches no node")


@pytest.fixture
def app(database: str, conn: Database) -> Database:
    """Two members, one of them with five kinds of lots, read as renewer_app."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    bring_in(
        conn,
        ["a,basic,2016-04-19,UTC,active,2", "b,plus,2016-04-30,Asia/Tokyo,active,9"],
        "2016-05-01",
    )
    renew(database, "2016-06-01T00:00")
    conn.execute("SET ROLE renewer_app")
    conn.execute("SELECT renewer.purchase('b', 40, 'invoice-1', '2100-01-01Z')")
    conn.execute("SELECT renewer.grant_bonus('b', 5, 'bonus-1')")
    return conn


def test_the_application_reads_balances(app: Database) -> None:
    """What is held, what of it can be spent, the cycle's inclusive days."""
    rows = app.execute("SELECT * FROM renewer.balance ORDER BY member_id").fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("a", 60, 60, None, *map(day, ("05-19", "06-18")), utc("2016-06-19T00:00")),
        (
            "b",
            124,
            124,
            utc("2100-01-01T00:00"),
            *map(day, ("05-30", "06-29")),
            utc("2016-06-29T15:00"),
        ),
    ]


def day(text: str) -> object:
    return utc(f"2016-{text}").date()


def test_the_application_reads_open_lots(app: Database) -> None:
    """Each with its ends: its own, and the boundary of its cycle."""
    rows = app.execute(
        "SELECT source, remaining, expires_at, cycle_ends_at FROM renewer.open_lot "
        "WHERE member_id = 'b' AND source NOT IN ('purchase', 'bonus') ORDER BY number"
    ).fetchall()
    boundary = utc("2016-06-29T15:00")
    assert [tuple(row.values()) for row in rows] == [
        ("rollover", 9, None, boundary),
        ("allowance", 70, None, boundary),
    ]
    bought = app.execute(
        "SELECT source, remaining, expires_at, cycle_ends_at FROM renewer.open_lot "
        "WHERE member_id = 'b' AND source IN ('purchase', 'bonus') ORDER BY number"
    ).fetchall()
    assert [tuple(row.values()) for row in bought] == [
        ("purchase", 40, utc("2100-01-01T00:00"), None),
        ("bonus", 5, None, None),
    ]


def test_what_has_lapsed_cannot_be_spent(app: Database, conn: Database) -> None:
    """It is in the balance until a pass has swept it."""
    app.execute("RESET ROLE")
    app.execute(
        "UPDATE renewer.lot SET expires_at = '2016-06-02Z' "
        "WHERE member_id = 'b' AND source = 'purchase'"
    )
    app.execute("SET ROLE renewer_app")
    row = app.execute(
        "SELECT balance, spendable FROM renewer.balance WHERE member_id = 'b'"
    ).fetchone()
    assert row == {"balance": 124, "spendable": 84}


def test_the_balance_of_a_time_is_that_of_its_entries(app: Database) -> None:
    """By when they were posted; 0 before the first; a stranger is refused."""
    ask = "SELECT renewer.balance_at(%s, %s) AS held"
    times = app.execute(
        "SELECT posted_at, balance_after AS held FROM renewer.statement "
        "WHERE member_id = 'b' ORDER BY seq DESC LIMIT 3"
    ).fetchall()
    for row in times:
        found = app.execute(ask, ["b", row["posted_at"]]).fetchone()
        assert found == {"held": row["held"]}
    assert app.execute(ask, ["b", utc("2016-01-01")]).fetchone() == {"held": 0}
    with pytest.raises(psycopg.Error) as caught:
        app.execute(ask, ["nobody", utc("2016-01-01")])
    assert caught.value.sqlstate == "RN001"


@pytest.mark.parametrize(
    ("call", "code", "detail", "hint"),
    [
        (
            "refund('a', 'no-such', 'r')",
            "RN007",
            "member 'a' has no spend with reference 'no-such'",
            "give the reference of the spend",
        ),
        (
            "spend('a', 61, 's')",
            "RN002",
            "60 of 61",
            "let them spend less, or add Connects by purchase or grant_bonus first",
        ),
        (
            "spend('nobody', 1, 's')",
            "RN001",
            "unknown member 'nobody'",
            "enroll or import them first",
        ),
        (
            "change_plan('a', 'gold', 'now', 'c')",
            "RN006",
            "unknown plan 'gold'",
            "load it with renewer plans load",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(
    app: Database, call: str, code: str, detail: str, hint: str
) -> None:
    """In the message, and in DETAIL and HINT for those who show them apart."""
    with pytest.raises(psycopg.Error) as caught:
        app.execute(f"SELECT renewer.{call}")
    diag = caught.value.diag
    assert caught.value.sqlstate == code
    assert (diag.message_detail, diag.message_hint) == (detail, hint)


def test_no_two_functions_share_a_name(app: Database) -> None:
    """An untyped literal means one function, always."""
    rows = app.execute(
        "SELECT p.proname FROM pg_catalog.pg_proc AS p "
        "WHERE p.pronamespace = 'renewer'::regnamespace "
        "GROUP BY p.proname HAVING count(*) > 1"
    )
    assert rows.fetchall() == []


def test_everything_has_a_comment(app: Database) -> None:
    """Functions, tables, columns, and the views the application reads."""
    functions = app.execute(
        "SELECT p.proname AS name FROM pg_catalog.pg_proc AS p "
        "WHERE p.pronamespace = 'renewer'::regnamespace "
        "AND pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL"
    )
    assert functions.fetchall() == []
    columns = app.execute(
        "SELECT c.relname, a.attname FROM pg_catalog.pg_class AS c "
        "JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE c.relnamespace = 'renewer'::regnamespace AND NOT a.attisdropped "
        "AND (c.relkind = 'r' AND c.relname NOT LIKE '%yoyo%' "
        "     OR c.relname IN ('balance', 'open_lot', 'statement')) "
        "AND pg_catalog.col_description(c.oid, a.attnum) IS NULL"
    )
    assert columns.fetchall() == []


@pytest.fixture
def guide(app: Database) -> str:
    """The application's guide, whose SQL was run in order: 1003 has 40 Connects."""
    text = (ROOT / "deploy" / "application.md").read_text()
    for statement in re.findall(r"```sql\n(.*?)```", text, re.DOTALL):
        app.execute(statement)
    balance = "SELECT balance FROM renewer.balance WHERE member_id = '1003'"
    assert app.execute(balance).fetchone() == {"balance": 40}
    return text


def example(guide: str, language: str, first_line: str) -> str:
    """Return the one example in *language* that begins with *first_line*."""
    found = re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL)
    (code,) = [each for each in found if each.startswith(first_line + "\n")]
    return code


def as_application(database: str, *command: str, **more: Any) -> str:
    """Run a program of the application's; return what it prints."""
    named = conninfo_to_dict(database)
    env = {
        "PGHOST": str(named["host"]),
        "PGUSER": str(named["user"]),
        "PGDATABASE": str(named["dbname"]),
        "PGOPTIONS": "-c role=renewer_app",
    }
    done = subprocess.run(
        command, env=os.environ | env, capture_output=True, text=True, check=False,
        timeout=60, **more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


TOO_FEW = (
    "RN002 let them spend less, or add Connects by purchase or grant_bonus first\n"
)
DJANGO = """
import os
from django.conf import settings
settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"],
    "HOST": os.environ["PGHOST"], "USER": os.environ["PGUSER"],
    "OPTIONS": {"options": os.environ["PGOPTIONS"]}}})
import django
django.setup()
"""


@pytest.mark.parametrize(
    ("library", "before", "left"),
    [("psycopg", "", 34), ("Django", DJANGO, 38), ("SQLAlchemy", "", 38)],
)
def test_the_python_examples_of_the_guide_work(
    guide: str, database: str, library: str, before: str, left: int
) -> None:
    """They print what is left, and of too much the code and the way out."""
    pytest.importorskip(library.lower(), reason="the extra `bench` is missing")
    code = example(guide, "python", f"# {library}")
    call = (sys.executable, "-c")
    assert as_application(database, *call, before + code) == f"{left} Connects left\n"
    more = code.replace("6, ", "600, ").replace(" 2, ", " 200, ")
    more = more.replace("proposal-", "again-")
    assert as_application(database, *call, before + more) == TOO_FEW


def test_the_example_with_psql_works(guide: str, database: str) -> None:
    """As it would be typed by hand."""
    if shutil.which("psql") is None:
        pytest.skip("psql is missing")
    (code,) = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    assert as_application(database, "sh", "-c", code) == "38\n"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Node's client for PostgreSQL."""
    folder = tmp_path_factory.mktemp("node")
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node is missing")
    options = ("--no-audit", "--no-fund", "--silent")
    done = subprocess.run(
        [npm, "install", *options, "pg"],
        cwd=folder, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("the client `pg` cannot be installed")
    return folder


def test_the_node_examples_of_the_guide_work(
    guide: str, database: str, node: Path
) -> None:
    """A call, a call that is refused, and a reader of events."""
    code = example(guide, "js", 'const { Client } = require("pg");')
    call = ("node", "-e")
    assert as_application(database, *call, code, cwd=node) == "38 Connects left\n"
    more = code.replace('"1003", 2', '"1003", 200').replace("proposal-", "again-")
    assert as_application(database, *call, more, cwd=node) == TOO_FEW
    code = example(guide, "js", "// reading events")
    assert as_application(database, *call, code, cwd=node).splitlines()[:3] == HEARD


HEARD = [
    "1003 connects.purchased 40",
    "1003 connects.spent -6",
    "1003 connects.refunded 6",
]


def test_the_reader_of_the_guide_works(guide: str, database: str) -> None:
    """It hears what the examples before it posted."""
    code = example(guide, "python", "# psycopg, reading events")
    heard = as_application(database, sys.executable, "-c", code).splitlines()
    assert heard[:3] == HEARD
