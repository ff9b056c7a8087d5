"""The health of the job: one lag, one count of failures, one judgement."""

import os
import socket
import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest

from renewer.answers.health import Health, Light, find_health
from renewer.jobs.recorder import describe_backlog
from renewer.store import migrations
from renewer.store.connection import Database, connect, read_clock, snapshot
from renewer.store.watch import find_backlog
from renewer.worker.metrics import read_database
from renewer.worker.presence import Presence
from tests.support import bring_in, command, documents, load_plans, renew, utc
from tests.web.conftest import open_pages

LINES = [
    "bad,basic,2016-04-10",
    "worse,basic,2016-04-12",
    "good,basic,2016-04-15",
    "later,basic,2016-04-25",
]


def judge(conn: Database) -> Health:
    """Return the health of the job now."""
    with snapshot(conn):
        return find_health(conn, read_clock(conn))


def texts(health: Health) -> list[str]:
    return [problem.text for problem in health.problems]


def sign_in(conn: Database, host: str, process: int, seen: str) -> None:
    """Put a worker on record whose last heartbeat was *seen* ago."""
    conn.execute(
        "INSERT INTO renewer.worker "
        "(host, process, version, monitor, hearing, started_at, seen_at) "
        "VALUES (%s, %s, '0.1.0', 'off', true, now() - interval '9 days', "
        "now() - %s::interval)",
        [host, process, seen],
    )


def test_lag_is_of_members_that_are_neither_failing_nor_parked(
    database: str, conn: Database
) -> None:
    """Failing ones do not count, even when their retry has come before all others."""
    load_plans(conn)
    bring_in(conn, LINES, "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id <> 'later'")
    report = renew(database, "2016-05-16", members=["bad", "worse"])
    assert describe_backlog(report) == {
        "lag_seconds": 24 * 3600,
        "failing": 2,
        "parked": 0,
    }
    conn.execute("UPDATE renewer.member SET parked = true WHERE member_id = 'worse'")
    as_of = utc("2016-05-16T01:00")
    found = find_backlog(conn, as_of)
    assert (found.oldest_due_at, found.lag) == (
        utc("2016-05-15T00:00"),
        timedelta(hours=25),
    )
    assert (found.failing, found.failing_since) == (1, utc("2016-05-10T00:00"))
    assert (found.parked, found.parked_since) == (1, utc("2016-05-12T00:00"))
    renew(database, "2016-05-16", members=["good"])
    # All three failed; the retry of two has come, and both are at the front.
    found = find_backlog(conn, as_of)
    assert (found.oldest_due_at, found.lag_seconds, found.failing) == (None, 0, 2)
    later = find_backlog(conn, utc("2016-05-26T00:00"))
    assert later.oldest_due_at == utc("2016-05-25T00:00")


def test_the_probe_skips_as_many_failing_members_as_it_may(
    conn: Database,
) -> None:
    """In each bucket; beyond that the number of failures is what matters."""
    load_plans(conn)
    bring_in(conn, [f"m{n},basic,2016-04-10" for n in range(300)], "2016-05-01")
    conn.execute("UPDATE renewer.member SET retry_at = '2016-05-11Z'")
    bring_in(conn, ["good,basic,2016-04-12"], "2016-05-01")
    as_of = utc("2016-05-12T01:00")
    assert find_backlog(conn, as_of).oldest_due_at == utc("2016-05-12T00:00")
    assert find_backlog(conn, as_of, most=1).oldest_due_at is None


@pytest.mark.one_server("the pages read as a role that may not log in")
def test_every_door_shows_the_same_health(database: str, conn: Database) -> None:
    """Status, its check, the page, the API and the metrics: names and numbers."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    bring_in(conn, LINES, "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id <> 'later'")
    renew(database, "2016-05-16", members=["bad", "worse"])
    conn.execute("UPDATE renewer.member SET parked = true WHERE member_id = 'worse'")
    sign_in(conn, "gone", 7, "181 seconds")
    status = documents(database, "status")
    with open_pages(database) as pages:
        answer = pages.get("/api/status").json()
        page = pages.get("/").text
    assert list(status) == list(answer)
    moving = {"as_of", "lag_seconds", "problems", "next_pass_at", "passes_by_hour"}
    assert {name for name in status if status[name] != answer[name]} <= moving
    assert 0 <= answer["lag_seconds"] - status["lag_seconds"] < 60
    # The retry of "bad" came in 2016: it is due, and no lag.
    assert {name: status[name] for name in ("light", "due", "failing", "parked")} == {
        "light": "failing",
        "due": 3,
        "failing": 1,
        "parked": 1,
    }
    metrics = read_database(conn)
    assert metrics["renewer_due_members"] == status["due"]
    assert metrics["renewer_failures"] == {"failing": 1, "parked": 1}
    assert metrics["renewer_workers"] == {"alive": 0, "dead": 1}
    oldest = metrics["renewer_oldest_due_timestamp_seconds"]
    assert oldest == utc("2016-05-15T00:00").timestamp()
    assert status["oldest_due_at"] == "2016-05-15T00:00:00+00:00"
    assert metrics["renewer_failures_since_timestamp_seconds"] == {
        "failing": utc("2016-05-10T00:00").timestamp(),
        "parked": utc("2016-05-12T00:00").timestamp(),
    }
    checked = documents(database, "status", "--check")
    assert checked == {"ok": False, "problems": status["problems"]}
    assert [each for each in status["problems"] if each not in page] == []
    assert len(status["problems"]) == 5


def test_a_worker_that_died_is_failing_whatever_else_is_well(
    database: str, conn: Database
) -> None:
    """After three minutes, for a day; without workers the passes alone are judged."""
    load_plans(conn)
    assert command(database, "run").returncode == 0
    assert (judge(conn).light, texts(judge(conn))) == (Light.IN_ORDER, [])
    sign_in(conn, "a", 1, "179 seconds")
    sign_in(conn, "b", 2, "25 hours")
    assert judge(conn).problems == []
    sign_in(conn, "c", 3, "181 seconds")
    found = judge(conn)
    assert found.light is Light.FAILING
    assert texts(found) == [
        "the worker on c, process 3, stopped without signing out 3 minutes ago"
    ]
    assert [worker.alive for worker in found.workers] == [True, False]
    conn.execute("DELETE FROM renewer.worker")
    conn.execute("UPDATE renewer.run SET finished_at = now() - interval '131 minutes'")
    assert judge(conn).light is Light.LATE
    assert texts(judge(conn)) == ["the last pass that succeeded ended 2 hours ago"]


def test_a_worker_takes_the_place_of_one_that_died_on_its_host(
    database: str, conn: Database
) -> None:
    """At its start only; workers that run there, or died elsewhere, stay on record."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = socket.gethostname()
    for where, process in (
        (host, ended.pid),
        (host, os.getpid()),
        (host, os.getppid()),
        ("elsewhere", ended.pid),
    ):
        sign_in(conn, where, process, "5 minutes")
    presence = Presence(partial(connect, database), "off")
    presence.show(hearing=True)
    own, before = (host, os.getpid()), [(host, os.getppid()), ("elsewhere", ended.pid)]
    assert workers(conn) == [*before, own]
    sign_in(conn, host, ended.pid, "5 minutes")
    presence.show(hearing=True)
    assert workers(conn) == [*before, own, (host, ended.pid)]
    presence.leave()
    assert workers(conn) == [*before, (host, ended.pid)]


def workers(conn: Database) -> list[tuple[str, int]]:
    """Return host and process of each worker on record."""
    rows = conn.execute("SELECT host, process FROM renewer.worker ORDER BY worker_id")
    return [(row["host"], row["process"]) for row in rows]


def test_violations_of_the_last_verification_need_a_person(
    conn: Database,
) -> None:
    """Until the next one finds none."""
    load_plans(conn)
    conn.execute(
        "INSERT INTO renewer.verification (began_at, finished_at, violations) "
        "VALUES (now(), now(), 2)"
    )
    assert "the last verification found 2 violations" in texts(judge(conn))
    conn.execute("UPDATE renewer.verification SET violations = 0")
    assert texts(judge(conn)) == ["no pass has succeeded yet"]
