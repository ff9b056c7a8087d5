"""What each role may do, found out by trying."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from renewer import migrations, store
from tests.support import bring_in, load_plans, renew, statement

CHANGES = (
    "UPDATE renewer.ledger_entry SET amount = 6",
    "DELETE FROM renewer.ledger_entry",
    "TRUNCATE renewer.ledger_entry",
)


@pytest.fixture
def conn(database: str, conn: store.Database) -> store.Database:
    migrations.migrate(database, roles=True)
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19,UTC,active,2"], "2016-05-01")
    return conn


@pytest.mark.parametrize("role", ["renewer_worker", "renewer_app", "renewer_read"])
def test_no_role_can_change_or_delete_an_entry(conn: store.Database, role: str) -> None:
    """Entries are only ever added."""
    conn.execute(f"SET ROLE {role}")
    for change in CHANGES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(change)


def test_the_worker_can_run_the_job(database: str, conn: store.Database) -> None:
    """Its privileges are enough for a whole pass, a failure included."""
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    as_worker = make_conninfo(database, options="-c role=renewer_worker")
    assert renew(as_worker, "2016-05-19T00:00").counts.failed == 1
    conn.execute("UPDATE renewer.member SET plan = 'basic'")
    assert renew(as_worker, "2016-05-19T02:00").counts.renewed == 1
    assert statement(conn, "a")[-1] == ("renewal", 60, 60)


@pytest.mark.parametrize("role", ["renewer_app", "renewer_read"])
def test_others_cannot_post(conn: store.Database, role: str) -> None:
    """Neither by the procedure nor by hand."""
    conn.execute(f"SET ROLE {role}")
    for attempt in (
        "CALL renewer.post_batch('[]', 1, NULL)",
        "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, occurred_at) "
        "VALUES ('a', 2, 'bonus', 5, 7, 1, now())",
        "UPDATE renewer.member SET balance = 1000",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(attempt)


def test_roles_keep_their_privileges_through_an_upgrade(database: str, conn: store.Database) -> None:
    """Once the roles exist every migration grants again."""
    conn.execute("REVOKE SELECT ON renewer.plan FROM renewer_read")
    migrations.migrate(database)
    conn.execute("SET ROLE renewer_read")
    assert conn.execute("SELECT count(*) AS n FROM renewer.plan").fetchone() == {"n": 3}
