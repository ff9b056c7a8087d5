"""The worker as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from renewer.store.connection import Database
from tests.support import (
    ROOT,
    bring_in,
    command,
    documents,
    load_plans,
    statement,
    violations,
)


@pytest.fixture
def worker(database: str, conn: Database) -> Iterator[subprocess.Popen[str]]:
    """A worker that has just been started, with one member who is due."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    env = os.environ | {"RENEWER_DATABASE_URL": database}
    process = subprocess.Popen(
        [sys.executable, "-m", "renewer", "worker", "--catch-up", "latest"],
        env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


def wait_for(process: subprocess.Popen[str], event: str) -> dict[str, object]:
    """Read the worker's log up to *event*."""
    assert process.stderr is not None
    for line in process.stderr:
        logged: dict[str, object] = json.loads(line)
        if logged["event"] == event:
            return logged
    raise AssertionError(f"the worker left before {event}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_runs_a_pass_at_its_start_and_leaves_when_asked(
    worker: subprocess.Popen[str], conn: Database, number: int
) -> None:
    """The missed boundaries are posted at once; the signal ends it with exit code 0."""
    assert wait_for(worker, "renewal.pass_finished")["renewed"] == 1
    assert statement(conn, "ana")[-1] == ("renewal", 60, 60)
    assert violations(conn) == []
    assert conn.execute("SELECT trigger, catch_up FROM renewer.run").fetchall() == [
        {"trigger": "schedule", "catch_up": "latest"}
    ]
    worker.send_signal(number)
    assert wait_for(worker, "worker.stopped")
    assert worker.wait(timeout=30) == 0


def test_an_announced_member_is_renewed_at_once(
    worker: subprocess.Popen[str], conn: Database
) -> None:
    """
    An enrolment and an upgrade do not wait for the hour.

    Nonsense on the channel harms nobody.
    """
    wait_for(worker, "listener.started")
    conn.execute("NOTIFY renewer_due, 'nobody'; NOTIFY renewer_due")
    conn.execute(
        "SELECT renewer.enroll('new', 'plus', current_date - 3, 'UTC', 'active', 'e')"
    )
    assert soon(lambda: statement(conn, "new") == [("renewal", 70, 70)])
    conn.execute("SELECT renewer.change_plan('new', 'agency-plus', 'now', 'up')")
    assert soon(lambda: len(statement(conn, "new")) == 2)
    conn.execute(
        "SELECT renewer.enroll('seen', 'basic', current_date - 3, 'UTC', "
        "'under_review', 'e')"
    )
    conn.execute("SELECT renewer.set_status('seen', 'active', 'ok')")
    assert soon(lambda: statement(conn, "seen") == [("renewal", 60, 60)])
    assert violations(conn) == []
    worker.terminate()
    assert worker.wait(timeout=30) == 0


def test_a_failure_that_is_retried_is_seen_to_at_once(
    database: str, worker: subprocess.Popen[str], conn: Database
) -> None:
    """The worker hears of it; the next try of the back-off would be an hour away."""
    wait_for(worker, "listener.started")
    with conn.transaction():
        conn.execute(
            "SELECT renewer.enroll('new', 'plus', current_date - 3, 'UTC', "
            "'active', 'e')"
        )
        conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'new'")
    assert soon(lambda: documents(database, "status")["failing"] == 1)
    conn.execute("UPDATE renewer.member SET plan = 'plus' WHERE member_id = 'new'")
    assert command(database, "failures", "retry", "new").returncode == 0
    assert soon(lambda: statement(conn, "new") == [("renewal", 70, 70)])
    assert documents(database, "failures")["failures"] == []


def soon(happened: Callable[[], bool], within_s: float = 20) -> bool:
    """Whether something happens long before the next full hour."""
    patience = time.monotonic() + within_s
    while not happened() and time.monotonic() < patience:
        time.sleep(0.01)
    return happened()


def test_a_worker_that_cannot_listen_says_so_and_goes_on(
    database: str, conn: Database
) -> None:
    """The pass at its start, and so every hourly one, still does everything."""
    load_plans(conn)
    conn.execute(
        "SELECT renewer.enroll('new', 'plus', current_date - 3, 'UTC', 'active', 'e')"
    )
    env = {
        "RENEWER_DATABASE_URL": database,
        "RENEWER_LISTEN_URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "renewer", "worker"],
        env=os.environ | env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert soon(lambda: statement(conn, "new") == [("renewal", 70, 70)])
    assert soon(
        lambda: (
            conn.execute(
                "SELECT 1 FROM renewer.run WHERE finished_at IS NOT NULL"
            ).fetchone()
            is not None
        )
    )
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert err.count("listener.lost") == 1


def test_a_worker_survives_a_database_that_goes_away(
    worker: subprocess.Popen[str], conn: Database
) -> None:
    """It stays up while its connections are cut, and still leaves with 0."""
    wait_for(worker, "renewal.pass_finished")
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    time.sleep(0.2)
    assert worker.poll() is None
    worker.terminate()
    assert worker.wait(timeout=30) == 0
