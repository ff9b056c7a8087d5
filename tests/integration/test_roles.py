"""What each role may do, found out by trying."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from renewer.jobs import failures
from renewer.rules.ledger import CatchUp
from renewer.store import migrations
from renewer.store.connection import Database, connect
from tests.support import bring_in, command, load_plans, renew, repair, statement

pytestmark = pytest.mark.one_server("a role that may not log in reaches no node")

REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    # Of a view that no row can be written through.
    psycopg.errors.ObjectNotInPrerequisiteState,
)
CHANGES = (
    "UPDATE renewer.ledger_entry SET amount = 6",
    "DELETE FROM renewer.ledger_entry",
    "TRUNCATE renewer.ledger_entry",
)


@pytest.fixture
def conn(database: str, conn: Database) -> Database:
    migrations.migrate(database, roles=True)
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19,UTC,active,2"], "2016-05-01")
    return conn


@pytest.mark.parametrize("role", ["renewer_worker", "renewer_app", "renewer_read"])
def test_no_role_can_change_or_delete_an_entry(conn: Database, role: str) -> None:
    """Entries are only ever added."""
    conn.execute(f"SET ROLE {role}")
    for change in CHANGES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(change)


def test_the_worker_can_run_the_job(database: str, conn: Database) -> None:
    """Its privileges are enough for a whole pass, a failure included."""
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    as_worker = make_conninfo(database, options="-c role=renewer_worker")
    assert renew(as_worker, "2016-05-19T00:00").counts.failed == 1
    conn.execute("UPDATE renewer.member SET plan = 'basic'")
    assert renew(as_worker, "2016-05-19T02:00").counts.renewed == 1
    assert statement(conn, "a")[-1] == ("renewal", 60, 60)


@pytest.mark.parametrize("role", ["renewer_app", "renewer_read"])
def test_others_cannot_post(conn: Database, role: str) -> None:
    """Neither by the procedure nor by hand."""
    conn.execute(f"SET ROLE {role}")
    for attempt in (
        "CALL renewer.post_batch('a', '[]', 1, NULL)",
        "INSERT INTO renewer.ledger_entry "
        "(member_id, seq, kind, amount, balance_after, lot, occurred_at) "
        "VALUES ('a', 2, 'bonus', 5, 7, 1, now())",
        "UPDATE renewer.member SET balance = 1000",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(attempt)


CALLS = (
    "renewer.spend('a', 1, 's')",
    "renewer.refund('a', 's', 'r')",
    "renewer.purchase('a', 5, 'p')",
    "renewer.grant_bonus('a', 5, 'b')",
    "renewer.change_plan('a', 'plus', 'now', 'c')",
    "renewer.set_timezone('a', 'Asia/Tokyo', 'z')",
    "renewer.set_status('a', 'suspended', 'u')",
    "renewer.enroll('new', 'plus', '2016-05-01', 'UTC', 'active', 'e')",
)


def test_the_application_can_call_the_functions_and_nothing_else(
    conn: Database,
) -> None:
    """
    They write as their owner, with a search path nobody can bend.

    No table is open to the application.
    """
    conn.execute("SET ROLE renewer_app")
    conn.execute("CREATE TEMPORARY TABLE member (member_id text)")
    for call in CALLS:
        assert conn.execute(f"SELECT repeated FROM {call}").fetchone() == {
            "repeated": False
        }
    for table in (
        "plan",
        "member",
        "lot",
        "request",
        "ledger_entry",
        "run",
        "failure",
        "timezone",
        "worker",
        "award",
        "member_state",
    ):
        for attempt in (f"SELECT FROM renewer.{table}", f"DELETE FROM renewer.{table}"):
            with pytest.raises(REFUSED):
                conn.execute(attempt)
    for view in ("balance", "open_lot", "statement"):
        assert conn.execute(f"SELECT count(*) AS n FROM renewer.{view}").fetchone()
        with pytest.raises(REFUSED):
            conn.execute(f"DELETE FROM renewer.{view}")
    for inner in (
        "post_movement('a', 'bonus', 5, 1, 'x', now())",
        "issue_lot('a', 'bonus', now(), NULL)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"SELECT renewer.{inner}")


@pytest.mark.parametrize("role", ["renewer_worker", "renewer_read"])
def test_only_the_application_moves_connects(conn: Database, role: str) -> None:
    """Who reads or runs the job cannot spend."""
    conn.execute(f"SET ROLE {role}")
    for call in CALLS:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"SELECT * FROM {call}")


def test_roles_keep_their_privileges_through_an_upgrade(
    database: str, conn: Database
) -> None:
    """Once the roles exist every migration grants again."""
    conn.execute("REVOKE SELECT ON renewer.plan FROM renewer_read")
    migrations.migrate(database)
    conn.execute("SET ROLE renewer_read")
    assert conn.execute("SELECT count(*) AS n FROM renewer.plan").fetchone() == {"n": 3}


def test_the_worker_can_repair(database: str, conn: Database) -> None:
    """A backfill, and what a person does about a failure."""
    renew(database, "2016-07-20", catch_up=CatchUp.LATEST)
    as_worker = make_conninfo(database, options="-c role=renewer_worker")
    assert repair(as_worker, "2016-07-25").counts.late == 1
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    renew(as_worker, "2016-08-20")
    with connect(as_worker) as worker:
        failures.park(worker, "a")
        failures.retry(worker, "a")


@pytest.mark.parametrize("name", ["explain", "preview", "history", "status", "verify"])
def test_the_reader_can_answer_and_repair_nothing(
    database: str, conn: Database, name: str
) -> None:
    """Who answers members needs no more than to read."""
    as_reader = make_conninfo(database, options="-c role=renewer_read")
    done = command(as_reader, name, *([] if name in ("status", "verify") else ["a"]))
    assert done.returncode == 0, done.stderr
    refused = command(
        as_reader,
        "backfill",
        "--from",
        "2016-05-01",
        "--to",
        "2016-07-01",
        "--as-of",
        "2016-07-25",
    )
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "connect as a role that may" in refused.stderr


@pytest.mark.parametrize("role", ["renewer_app", "renewer_read"])
def test_a_worker_whose_login_may_not_post_says_so_and_leaves(
    database: str, conn: Database, role: str
) -> None:
    """At its start, in one line, instead of failing every hour."""
    login = make_conninfo(database, options=f"-c role={role}")
    done = command(login, "worker", timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "GRANT renewer_worker to it" in done.stderr or role == "renewer_app"
