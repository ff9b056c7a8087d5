"""Locks, conflicts and trouble of the server: they delay a posting and fail nobody."""

import threading
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from renewer.errors import DatabaseUnreachable
from renewer.jobs.pass_request import PassOptions
from renewer.jobs.poster import BatchPoster, LockRetry, Planner
from renewer.jobs.renewal import renewal_planner
from renewer.rules.ledger import CatchUp, Member
from renewer.rules.plans import Plans
from renewer.rules.posting import Posting
from renewer.store import cluster, connection, migrations
from renewer.store.batches import (
    Outcome,
    Unplanned,
    Unposted,
    describe_failure,
    post_batch,
)
from renewer.store.connection import Database, read_clock
from renewer.store.members import find_members
from renewer.store.revisions import find_plans
from renewer.store.runs import start_run
from renewer.worker import schedule
from tests.support import (
    Marketplace,
    command,
    counted,
    renew,
    signs,
    statement,
    utc,
    violations,
)

AS_OF = "2016-05-19T00:00"
POSTED = counted(due=1, renewed=1, entries=2)
"""What a pass does for the member below: their 40 expire and 60 come."""


def read_member(conn: Database, *columns: str) -> tuple[Any, ...]:
    """Return columns of member m."""
    row = conn.execute(
        f"SELECT {', '.join(columns)} FROM renewer.member WHERE member_id = 'm'"
    ).fetchone()
    assert row is not None
    return tuple(row.values())


def read_failures(conn: Database) -> list[dict[str, Any]]:
    """Return the failures on record."""
    return conn.execute(
        "SELECT member_id, code, attempts FROM renewer.failure"
    ).fetchall()


def start_pass(conn: Database, planner: Planner | None = None) -> BatchPoster:
    """Begin a pass at the end of m's cycle; *planner* is not an ordinary one."""
    as_of = utc(AS_OF)
    plans = Plans(find_plans(conn))
    planner = planner or renewal_planner(plans, as_of, CatchUp.EACH)
    run_id = start_run(conn, "manual", CatchUp.EACH, as_of)
    return BatchPoster(planner, run_id, as_of, LockRetry(threading.Event()))


def post_once(conn: Database) -> list[str]:
    """Take up m once, as a pass does; return who was busy."""
    return start_pass(conn).post(conn, find_members(conn, ["m"])).locked


# 1. Busy members and versions


def test_a_locked_member_is_passed_over_not_waited_for(
    m: Database, other: Database
) -> None:
    """Whoever holds the row may hold it for long: the pass says busy at once."""
    m.execute("SET statement_timeout = '3s'")
    other.execute("BEGIN; SELECT FROM renewer.member WHERE member_id = 'm' FOR UPDATE")
    assert post_once(m) == ["m"]
    other.execute("ROLLBACK")
    assert post_once(m) == []
    assert statement(m, "m")[1:] == [("expiry", -40, 0), ("renewal", 60, 60)]


@pytest.mark.one_server("a setting of a session reaches no node")
def test_a_lock_on_what_a_posting_writes_is_nobodys_failure(
    m: Database, other: Database
) -> None:
    """An administrator's lock_timeout ends the wait for a lot: the member is busy."""
    m.execute("SET lock_timeout = '50ms'")
    other.execute("BEGIN; SELECT FROM renewer.lot WHERE member_id = 'm' FOR UPDATE")
    assert post_once(m) == ["m"]
    assert read_failures(m) == []


def test_who_was_busy_is_looked_at_again_in_the_same_pass(
    database: str, m: Database, other: Database
) -> None:
    """The lock goes after the first look; the second renews them, counted once."""
    other.execute("BEGIN; SELECT FROM renewer.member WHERE member_id = 'm' FOR UPDATE")

    def let_go(_: int) -> None:
        other.execute("ROLLBACK")

    report = renew(database, AS_OF, progress=let_go)
    assert (report.counts.as_dict(), report.left) == (POSTED, 0)


def test_a_failure_counts_once_for_the_version_that_was_planned(
    m: Database,
) -> None:
    """Of two passes that planned the same member, the second looks again."""
    (member,) = find_members(m, ["m"])
    run_id = start_run(m, "manual", CatchUp.EACH, utc(AS_OF))
    failed = Unplanned(member, "PlanError", "unknown plan")
    document = describe_failure(failed, utc("2016-05-19T00:50"))
    assert [post_batch(m, [document], run_id) for _ in range(2)] == [
        [Unposted("m", Outcome.FAILED, "PlanError", "unknown plan")],
        [Unposted("m", Outcome.CONFLICT, "PlanError", "unknown plan")],
    ]
    assert read_failures(m) == [{"member_id": "m", "code": "PlanError", "attempts": 1}]
    assert read_member(m, "version") == (member.version + 1,)


def test_a_request_made_while_a_pass_plans_is_not_forgotten(
    m: Database, other: Database
) -> None:
    """
    They are suspended since the 10th, and the call comes after the pass has planned.

    Only the member's version tells. A request moves no Connects, so that no number of
    an entry is taken twice.
    """
    plan = renewal_planner(Plans(find_plans(m)), utc(AS_OF), CatchUp.EACH)
    suspend = {"status": "suspended", "reference": "s", "at": utc("2016-05-10")}

    def plan_and_be_late(
        conn: Database, members: Sequence[Member]
    ) -> list[Posting | Unplanned]:
        planned = list(plan(conn, members))
        Marketplace(other).call("set_status", member_id="m", **suspend)
        return planned

    running = start_pass(m, plan_and_be_late)
    assert running.post(m, find_members(m, ["m"])).locked == []
    assert statement(m, "m")[1:] == [("expiry", -40, 0), ("renewal", 0, 0)]
    assert read_member(m, "status", "requested_at") == ("suspended", None)
    assert violations(m) == []


def test_a_pass_leaves_its_session_synchronous(m: Database) -> None:
    """
    A posting is asynchronous for itself alone.

    The last write of a pass is not, and flushes all before it.
    """
    assert post_once(m) == []
    assert m.execute("SHOW synchronous_commit").fetchone() == {
        "synchronous_commit": "on"
    }


# 2. The server's trouble


def test_only_what_tells_its_state_is_a_node_that_is_away(m: Database) -> None:
    """An answer nobody asked for, or no connection, is trouble of the coordinator's."""
    m.distributed = True
    told = [
        psycopg.errors.ConnectionFailure("connection to the remote node failed"),
        psycopg.errors.CheckViolation("breaks rule ledger_entry_lot_named"),
        psycopg.InternalError("received 2 results from command 'COMMIT'"),
        DatabaseUnreachable("the database cannot be reached"),
    ]
    assert [cluster.is_node_away(m, error) for error in told] == [
        True, False, False, False,
    ]  # fmt: skip


def test_no_setting_of_the_database_ends_a_session_that_waits(
    database: str, m: Database
) -> None:
    """A worker listens for hours, and a verification reads for minutes."""
    settings = ["idle_session_timeout", "lock_timeout", "statement_timeout"]
    if m.info.server_version >= 170000:
        settings.append("transaction_timeout")
    for setting in settings:
        m.execute(f"ALTER DATABASE {m.info.dbname} SET {setting} = '1min'".encode())
    with connection.connect(database) as conn:
        found = {
            setting: conn.execute(f"SHOW {setting}".encode()).fetchone()
            for setting in settings
        }
    assert found == {setting: {setting: "0"} for setting in settings}


@pytest.mark.one_server("it changes the schema that its tests share")
def test_a_lock_that_is_not_had_in_time_is_trouble_of_the_server(
    database: str, m: Database
) -> None:
    """
    As behind a pooler, where a role's lock_timeout stays: it passes, exit code 3.

    A person alters a table meanwhile; directly connected a pass waits for them.
    """
    m.execute(
        "CREATE FUNCTION renewer.impatient() RETURNS text LANGUAGE plpgsql AS "
        "$$BEGIN SET lock_timeout = '50ms'; LOCK renewer.member; RETURN ''; END$$"
    )
    m.execute("ALTER TABLE renewer.run ADD COLUMN odd text DEFAULT renewer.impatient()")
    with connection.connect(database) as other, other.transaction():
        other.execute("LOCK renewer.member IN ACCESS SHARE MODE")
        done = command(database, "run", "--as-of", AS_OF)
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("renewer: the database failed: ")
    assert read_failures(m) == []


@pytest.mark.one_server("it changes the schema that its tests share")
def test_a_privilege_that_is_missing_is_trouble_of_the_server(
    database: str, m: Database
) -> None:
    """Nobody's posting is at fault: the pass ends, and no failure is recorded."""
    migrations.migrate(database, roles=True)
    m.execute("REVOKE INSERT ON renewer.ledger_entry FROM renewer_worker")
    as_worker = make_conninfo(database, options="-c role=renewer_worker")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        renew(as_worker, AS_OF)
    assert read_failures(m) == []
    assert statement(m, "m") == [("opening", 40, 40)]


def test_a_server_that_does_not_answer_is_given_up(conn: Database) -> None:
    """By the client itself: a peer that is gone keeps no timeout of the server."""
    conn.patience_s = 0.2
    with pytest.raises(psycopg.OperationalError, match="no answer from the server"):
        conn.execute("SELECT pg_sleep(5)")
    assert conn.closed


def test_one_who_was_asked_to_leave_waits_for_no_answer(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grace over, the connection is given up, whatever its patience."""
    monkeypatch.setattr(connection, "STOP_GRACE_S", 0.2)
    stop = threading.Event()
    stop.set()
    with (
        pytest.raises(psycopg.OperationalError, match="no answer from the server"),
        connection.connect(database, stop=stop) as conn,
    ):
        conn.execute("SELECT pg_sleep(5)")


def test_a_pass_that_comes_late_is_run_all_the_same(
    database: str, m: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The host slept for an hour: the scheduler sees a pass whose time is long past.

    Here the next try after trouble is set an hour back.
    """
    monkeypatch.setattr(schedule, "RETRY", -schedule.RETRY * 60)
    stop, ran_late = threading.Event(), threading.Event()
    tries: list[datetime] = []

    def prepare_pass(conn: Database) -> datetime:
        tries.append(read_clock(conn))
        if len(tries) == 1:
            raise psycopg.OperationalError("the server is away")
        ran_late.set()
        return utc(AS_OF)

    connect = partial(connection.connect, database)
    shown = signs(connect, stop)
    options = PassOptions()
    worker = schedule.Worker(connect, [connect], options, prepare_pass, stop, shown)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    ran_late.wait(10)
    stop.set()
    thread.join()
    assert len(tries) == 2
