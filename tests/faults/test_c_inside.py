"""C. Errors inside a member's transaction, raised by triggers, locks and privileges."""

import threading

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from renewer.store.connection import Database, is_server_trouble
from tests.faults.scene import (
    CANARY,
    LINES,
    Ledger,
    arguments_of_run,
    assert_same_ledger,
    assert_undisturbed,
    done,
    due,
    ended,
    held_lots,
    set_scene,
    started,
    until,
    waiting,
)
from tests.support import broken_members, ledger, renew, violations

RUN = arguments_of_run()


def fail_twice(
    conn: Database, code: str, how: str = "BEFORE INSERT", times: int = 2
) -> None:
    """Make a write for bob fail the first *times*; a sequence survives rollbacks."""
    conn.execute("CREATE SEQUENCE public.tries")
    conn.execute(
        f"""
        CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.member_id = 'bob' AND nextval('public.tries') <= {times} THEN
                RAISE EXCEPTION 'injected' USING ERRCODE = '{code}';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    constraint, deferred = "", ""
    if how == "COMMIT":
        how, constraint = "AFTER INSERT", "CONSTRAINT"
        deferred = "DEFERRABLE INITIALLY DEFERRED"
    conn.execute(
        f"CREATE {constraint} TRIGGER fail {how} ON renewer.ledger_entry {deferred} "
        "FOR EACH ROW EXECUTE FUNCTION public.fail()"
    )


def tries(conn: Database) -> int:
    row = conn.execute("SELECT last_value FROM public.tries").fetchone()
    assert row is not None
    return int(row["last_value"])


@pytest.mark.one_server("a cluster takes no trigger")
@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
def test_c1_what_passes_is_tried_again_in_the_same_pass(
    database: str, conn: Database, expected: Ledger, code: str
) -> None:
    """Twice a conflict or a lock, then success: nobody failed, nobody is left."""
    fail_twice(conn, code)
    left = done(database, *RUN)
    assert (left.code, "3 renewed" in left.out) == (0, True), left.err
    assert tries(conn) > 2
    assert_same_ledger(conn, expected)


@pytest.mark.one_server("a cluster takes no trigger")
@pytest.mark.parametrize("code", ["53100", "53300", "57014", "58030", "25006"])
def test_c1_trouble_of_the_server_ends_the_pass_and_fails_nobody(
    database: str, conn: Database, expected: Ledger, code: str
) -> None:
    """Twice such an error, two passes that end with it; the third does everything."""
    fail_twice(conn, code)
    for _ in range(2):
        with pytest.raises(psycopg.Error) as caught:
            renew(database, RUN[2])
        assert (caught.value.sqlstate, is_server_trouble(caught.value)) == (
            code,
            True,
        )
    renew(database, RUN[2])
    assert tries(conn) > 2
    assert_same_ledger(conn, expected)


@pytest.mark.one_server("a cluster takes no trigger")
@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
def test_c2_a_commit_that_fails_is_tried_again(
    database: str, conn: Database, expected: Ledger, code: str
) -> None:
    """A check at the very end of the transaction is no different from one inside."""
    fail_twice(conn, code, "COMMIT")
    left = done(database, *RUN)
    assert (left.code, "3 renewed" in left.out) == (0, True), left.err
    assert tries(conn) > 2
    assert_same_ledger(conn, expected)


@pytest.mark.one_server("a cluster takes no trigger")
def test_c2_a_commit_that_is_refused_for_good_is_that_members_failure(
    database: str, conn: Database, expected: Ledger
) -> None:
    """A deferred constraint names one member: the others are renewed, with code 1."""
    fail_twice(conn, "23514", "COMMIT", times=1_000_000)
    left = done(database, *RUN)
    assert due(conn) == 0, "the others are renewed, and bob waits for his next try"
    assert (left.code, "Traceback" in left.err) == (1, False)


def test_c8_a_deadlock_with_an_application_leaves_one_of_them_to_try_again(
    database: str, conn: Database, expected: Ledger
) -> None:
    """
    An application that takes lots before the member meets a pass that takes them the
    other way round. Whoever of them loses, the pass ends with nobody left.
    """
    outcome = []

    def lock_the_member(other: "psycopg.Connection[object]") -> None:
        try:
            other.execute(
                "SELECT FROM renewer.member WHERE member_id = 'bob' FOR UPDATE"
            )
            outcome.append("won")
        except psycopg.errors.DeadlockDetected:
            outcome.append("lost")
        other.rollback()

    with held_lots(database, "bob") as other, started(database, *RUN) as process:
        until(lambda: waiting(conn))
        thread = threading.Thread(target=lock_the_member, args=[other])
        thread.start()
        assert ended(process).code == 0
        thread.join(30)
    assert outcome in (["won"], ["lost"])
    assert_undisturbed(conn, expected)


def test_c9_a_role_set_to_serializable_is_no_trouble(
    database: str, conn: Database
) -> None:
    """
    Beside a serializable spender the pass is done at once, and the ledger is that of
    the spend before it.
    """
    spend = (
        "SELECT * FROM renewer.spend(member_id => 'bob', amount => 7, "
        "reference => 's', at => '2016-03-02Z')"
    )
    set_scene(conn)
    conn.execute(spend)
    renew(database, RUN[2])
    expected = ledger(conn)
    set_scene(conn)
    conn.execute(
        f"ALTER DATABASE {conn.info.dbname} "
        "SET default_transaction_isolation = 'serializable'"
    )
    with psycopg.connect(database) as other, started(database, *RUN) as process:
        other.execute(spend)
        until(lambda: due(conn) == 1)
        other.commit()
        assert ended(process).code == 0
    assert_undisturbed(conn, expected)


@pytest.mark.one_server("a cluster takes no trigger")
@pytest.mark.parametrize(
    ("table", "event"),
    [("ledger_entry", "INSERT"), ("lot", "INSERT"), ("lot", "UPDATE")],
)
def test_c10_a_write_that_is_dropped_in_silence_posts_nothing_of_its_member(
    database: str, conn: Database, expected: Ledger, table: str, event: str
) -> None:
    """A trigger that returns NULL leaves no half posting: the member fails whole."""
    conn.execute(
        f"""
        CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RETURN CASE WHEN NEW.member_id <> 'bob' THEN NEW END;
        END $$;
        CREATE TRIGGER swallow BEFORE {event} ON renewer.{table}
            FOR EACH ROW EXECUTE FUNCTION public.swallow();
        """
    )
    left = done(database, *RUN)
    assert broken_members(conn) == []
    assert left.code == 1
    conn.execute(f"DROP TRIGGER swallow ON renewer.{table}")
    assert done(database, *RUN, "--member", "bob").code == 0
    assert_undisturbed(conn, expected)


WITHOUT_KEY = {
    "dropped": "DROP INDEX renewer.ledger_entry_boundary_key",
    "invalid": "UPDATE pg_index SET indisvalid = false "
    "WHERE indexrelid = 'renewer.ledger_entry_boundary_key'::regclass",
}


@pytest.mark.one_server("it changes the schema that its tests share")
@pytest.mark.parametrize("how", WITHOUT_KEY)
def test_c12_without_the_unique_key_nobody_is_renewed_twice(
    database: str, conn: Database, expected: Ledger, how: str
) -> None:
    """The key is a second guard: the member's version is the first."""
    conn.execute(WITHOUT_KEY[how])
    for _ in range(2):
        renew(database, RUN[2])
    assert_same_ledger(conn, expected)


@pytest.mark.one_server("it changes the schema that its tests share")
@pytest.mark.parametrize("how", WITHOUT_KEY)
def test_c12_a_unique_key_that_is_gone_is_named_by_verify(
    database: str, conn: Database, expected: Ledger, how: str
) -> None:
    """The schema is then not the one of this release (invariant 6)."""
    conn.execute(WITHOUT_KEY[how])
    assert "ledger_entry_boundary_key" in str(violations(conn))


@pytest.mark.one_server("it changes the schema that its tests share")
def test_c14_a_privilege_that_is_revoked_ends_the_pass_and_fails_nobody(
    database: str, conn: Database, expected: Ledger, worker_login: str
) -> None:
    """42501 in mid-pass concerns everybody: one line, 2, and nobody's failure."""
    url = make_conninfo(database, user=worker_login, password=CANARY)
    with started(url, *RUN) as process:
        with held_lots(database, "bob"):
            until(lambda: waiting(conn))
            conn.execute("REVOKE INSERT ON renewer.ledger_entry FROM renewer_worker")
        left = ended(process)
    assert left.code == 2
    assert left.last_line.startswith("renewer: the database refuses: permission denied")
    assert 0 < due(conn) <= len(LINES)
    conn.execute("GRANT INSERT ON renewer.ledger_entry TO renewer_worker")
    assert done(url, *RUN).code == 0
    assert_undisturbed(conn, expected)
