"""The worker as a process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from renewer import store
from tests.support import ROOT, bring_in, load_plans, statement, violations


@pytest.fixture
def worker(database: str, conn: store.Database) -> Iterator[subprocess.Popen[str]]:
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
    worker: subprocess.Popen[str], conn: store.Database, number: int
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


def test_a_worker_survives_a_database_that_goes_away(worker: subprocess.Popen[str], conn: store.Database) -> None:
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
