"""What a worker tells of itself over HTTP, and what is left on record of it."""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from renewer.host.database import MAY_NOT_POST
from renewer.store import migrations
from renewer.store.connection import Database
from renewer.store.watch import find_census
from tests.e2e.test_worker import soon, wait_for
from tests.support import ROOT, bring_in, command, load_plans

EXPECTED = {
    "renewer_pass_running": 0,
    "renewer_due_members": 0,
    "renewer_oldest_due_timestamp_seconds": 0,
    'renewer_failures{state="failing"}': 0,
    'renewer_failures{state="parked"}': 0,
    'renewer_failures_since_timestamp_seconds{state="failing"}': 0,
    'renewer_failures_since_timestamp_seconds{state="parked"}': 0,
    'renewer_workers{state="dead"}': 0,
    'renewer_members{status="active"}': 1,
    'renewer_members{status="under_review"}': 0,
    'renewer_members{status="suspended"}': 0,
    'renewer_members{status="closed"}': 0,
    "renewer_members_without_rule": 0,
    "renewer_requests_waiting": 0,
    "renewer_verify_last_success_timestamp_seconds": 0,
    "renewer_database_up": 1,
    "renewer_listener_hearing": 1,
    'renewer_pass_members_total{result="renewed"}': 1,
    'renewer_pass_members_total{result="late"}': 0,
    'renewer_pass_members_total{result="expired"}': 0,
    'renewer_pass_members_total{result="applied"}': 0,
    'renewer_pass_members_total{result="skipped"}': 0,
    'renewer_pass_members_total{result="failed"}': 0,
    'renewer_entries_total{kind="expiry"}': 1,
    'renewer_connects_total{kind="expiry"}': 2,
    'renewer_connects_total{kind="renewal"}': 60,
    "renewer_conflicts_total": 0,
    "renewer_pass_duration_seconds_count": 1,
}


@contextmanager
def started(
    database: str, call: Sequence[str] = ("-m", "renewer", "worker"), **env: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a worker, by *call*, that serves its health at a port nobody has."""
    named = {
        "RENEWER_DATABASE_URL": database,
        "RENEWER_MONITOR": "127.0.0.1:0",
        "RENEWER_CATCH_UP": "latest",
    }
    process = subprocess.Popen(
        [sys.executable, *call],
        env=os.environ | named | env, cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    """Return where a worker that has just been started serves."""
    return str(wait_for(process, "monitor.started")["address"])


def ask(address: str, path: str) -> tuple[int, Any]:
    """Return status and document of an answer."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def scrape(address: str) -> str:
    """Return what Prometheus would read."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
        return str(answer.read().decode())


def samples(text: str) -> dict[str, float]:
    """Return the value of each series."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


WELL = {"ok": True, "problems": []}


def test_a_worker_tells_how_it_is(database: str, conn: Database) -> None:
    """Health, readiness, every metric, its row, and nothing of it once it left."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    with started(database) as process:
        at = address_of(process)
        wait_for(process, "listener.started")
        assert soon(lambda: find_census(conn) is not None)
        assert ask(at, "/healthz") == (200, WELL)
        assert ask(at, "/readyz") == (200, WELL)
        assert ask(at, "/other")[0] == 404
        found = samples(scrape(at))
        assert {name: found.get(name) for name in EXPECTED} == EXPECTED
        passed = found["renewer_pass_last_success_timestamp_seconds"]
        assert passed >= found["renewer_pass_started_timestamp_seconds"] > 1e9
        assert soon(lambda: workers(conn) == [(process.pid, at, True)])
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert workers(conn) == []


def workers(conn: Database) -> list[tuple[Any, ...]]:
    """Return process, monitor and hearing of each worker on record."""
    rows = conn.execute("SELECT process, monitor, hearing FROM renewer.worker")
    return [tuple(row.values()) for row in rows]


def test_a_database_that_is_away_is_told_and_its_metrics_are_absent() -> None:
    """The process is alive, not ready; nobody takes an old number for a new one."""
    with started("postgresql://nobody@127.0.0.1:1/none") as process:
        at = address_of(process)
        assert ask(at, "/healthz") == (200, WELL)
        status, document = ask(at, "/readyz")
        assert (status, document["ok"]) == (503, False)
        assert "cannot be reached" in document["problems"][0]
        found = samples(scrape(at))
        assert found["renewer_database_up"] == 0
        assert "renewer_due_members" not in found
        assert "renewer_pass_last_success_timestamp_seconds" not in found
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_a_right_that_was_taken_away_is_told(database: str, conn: Database) -> None:
    """Not ready, one line in the log, and the worker goes on when it is given back."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    enroll = "SELECT renewer.enroll('{}', 'basic', current_date, 'UTC', 'active', 'e')"
    with started(make_conninfo(database, options="-c role=renewer_worker")) as process:
        at = address_of(process)
        wait_for(process, "listener.started")
        assert ask(at, "/readyz") == (200, WELL)
        conn.execute("REVOKE INSERT ON renewer.ledger_entry FROM renewer_worker")
        conn.execute(enroll.format("a").encode())
        refused = wait_for(process, "renewal.pass_refused")
        assert "permission denied" in str(refused["error"])
        status, document = ask(at, "/readyz")
        assert (status, document["problems"]) == (503, [MAY_NOT_POST])
        conn.execute("GRANT INSERT ON renewer.ledger_entry TO renewer_worker")
        conn.execute(enroll.format("b").encode())
        assert wait_for(process, "renewal.pass_finished")["renewed"] == 1
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_an_address_in_use_is_warned_of_and_keeps_nobody_from_work(
    database: str, conn: Database
) -> None:
    """The second worker on a host passes all the same; its row says that none looks."""
    load_plans(conn)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with started(database, RENEWER_MONITOR=where) as process:
            assert wait_for(process, "monitor.unavailable")["address"] == where
            wait_for(process, "renewal.pass_finished")
            assert soon(lambda: workers(conn) == [(process.pid, "none", True)])
            process.terminate()
            assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RENEWER_MONITOR", "9465"),
        ("RENEWER_MONITOR", "localhost:66000"),
        ("RENEWER_VERIFY_AT", "3:30"),
        ("RENEWER_VERIFY_AT", "24:00"),
        ("RENEWER_KEEP_RUNS", "0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name: str, value: str) -> None:
    """One line, exit code 2, and no worker."""
    done = command("host=/nowhere", "worker", env={name: value})
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"renewer: {name}={value!r} cannot be used: ")


def test_announced_members_of_an_hour_are_one_run(
    database: str, conn: Database
) -> None:
    """Its counts add up; the passes of everybody are runs of their own."""
    load_plans(conn)
    with started(database) as process:
        wait_for(process, "listener.started")
        for name in ("a", "b"):
            conn.execute(
                f"SELECT renewer.enroll('{name}', 'plus', current_date - 3, 'UTC', "
                "'active', 'e')"
            )
            passed = wait_for(process, "renewal.pass_finished")
            while not passed["due"]:
                # The pass of the start, which found nobody.
                passed = wait_for(process, "renewal.pass_finished")
            assert (passed["due"], passed["lag_seconds"]) == (1, 0)
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert conn.execute(ANNOUNCED).fetchall() == [
        {"named": True, "due": 2, "renewed": 2, "finished": True, "hours": 1}
    ]


ANNOUNCED = """
    SELECT named, sum(due)::integer AS due, sum(renewed)::integer AS renewed,
           bool_and(finished_at IS NOT NULL) AS finished,
           (count(DISTINCT date_trunc('hour', as_of)) = count(*))::integer AS hours
    FROM renewer.run WHERE trigger = 'announced' GROUP BY named
"""
