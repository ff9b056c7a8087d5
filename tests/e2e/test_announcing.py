"""What is told to others, through the real command line: events, notices, seals."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from renewer.store import migrations
from renewer.store.connection import Database
from renewer.store.feed import tick
from tests.faults.scene import started, until
from tests.support import bring_in, command, documents, load_plans, renew

pytestmark = pytest.mark.gate


@pytest.fixture
def fed(database: str, conn: Database) -> str:
    """Two members with their boundaries of May, and one whose cycle runs now."""
    load_plans(conn)
    lines = ["a,basic,2016-04-19,UTC,active,2", "b,plus,2016-04-30,Asia/Tokyo,active,9"]
    bring_in(conn, lines, "2016-05-01")
    renew(database, "2016-06-01T00:00")
    return database


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_events_go_on_behind_a_cursor(fed: str, conn: Database) -> None:
    """Up to a limit; none, and exit code 0, when nothing is new."""
    done = command(fed, "events")
    assert (done.returncode, done.stderr) == (0, "")
    events = lines(done.stdout)
    assert [each["event"]["type"] for each in events] == [
        "connects.imported",
        "connects.cycle.renewed",
    ] * 2
    assert lines(command(fed, "events", "--limit", "3").stdout) == events[:3]
    after = ("events", "--after", events[2]["cursor"])
    rest = lines(command(fed, *after).stdout)
    assert [each["event"] for each in rest] == [events[3]["event"]]
    assert command(fed, "events", "--after", rest[0]["cursor"]).stdout == ""
    # What was posted a moment ago is told at once: the command ends the batch.
    conn.execute("SELECT renewer.spend('a', 1, 's')")
    spent = lines(command(fed, "events", "--after", rest[0]["cursor"]).stdout)
    assert [each["event"]["data"]["reference"] for each in spent] == ["s"]


def test_a_cursor_that_is_not_known_is_refused(fed: str) -> None:
    """Exit code 2, and how to go on."""
    done = command(fed, "events", "--after", "nonsense")
    assert done.returncode == 2
    assert "the cursor is none of renewer's: read from the start" in done.stderr


def test_a_follower_hears_what_is_posted(
    fed: str, conn: Database, tmp_path: Path
) -> None:
    """Within seconds, without a worker, and leaves with its reader."""
    path = tmp_path / "events"
    with path.open("w") as out, started(fed, "events", "--follow", stdout=out):
        until(lambda: path.read_text().count("\n") == 4)
        conn.execute("SELECT renewer.spend('a', 1, 's')")
        until(lambda: path.read_text().count("\n") == 5)
    with started(fed, "events", "--follow", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        conn.execute("SELECT renewer.spend('a', 1, 's2')")
        assert process.wait(30) == 0
        process.stdout = None


def test_who_may_only_read_waits_for_a_tick(fed: str, conn: Database) -> None:
    """The worker makes one, or the application."""
    migrations.migrate(fed, roles=True)
    options = {"env": {"PGOPTIONS": "-c role=renewer_read"}}
    assert command(fed, "events", **options).stdout == ""
    tick(conn)
    assert len(lines(command(fed, "events", **options).stdout)) == 4


def test_what_expires_is_told_in_time(database: str, conn: Database) -> None:
    """A line a lot, with the member's offset; a month ahead, nothing more."""
    load_plans(conn)
    began = datetime.now(UTC).date() - timedelta(days=20)
    lines_ = [f"a,basic,{began},Asia/Tokyo,active,9", f"b,plus,{began},UTC,active,9"]
    bring_in(conn, lines_, datetime.now(UTC).isoformat(timespec="seconds")[:19])
    assert command(database, "expiring", "--within", "1h").stdout == ""
    told = lines(command(database, "expiring", "--within", "20d").stdout)
    assert [
        (each["member_id"], each["lot"], each["source"], each["amount"])
        for each in told
    ] == [("a", 1, "allowance", 9)]
    assert told[0]["ends_at"].endswith("T00:00:00+09:00")
    assert set(told[0]) == {"id", "member_id", "lot", "source", "amount", "ends_at"}


@pytest.mark.parametrize("within", ["7", "0d", "-1d", "7w", "", "900d"])
def test_a_span_that_is_none_is_refused(fed: str, within: str) -> None:
    """With the form it has."""
    done = command(fed, "expiring", "--within", within)
    assert done.returncode == 2
    assert "--within" in done.stderr


def test_seals_name_what_was_bent(fed: str, conn: Database) -> None:
    """`seal` prints a head to keep; `verify --seals` compares, exit code 1."""
    sealed = documents(fed, "seal")
    assert (sealed["batches"], sealed["entries"]) == (1, 7)
    head = f"{sealed['head']['number']}:{sealed['head']['hash']}"
    assert f"Head: {head}" in command(fed, "seal").stdout
    verified = documents(fed, "verify", "--seals", "--head", head)
    assert verified["ok"] is True
    assert verified["seals"] == {"compared": 1, "entries": 7, "head": head}
    conn.execute("GRANT UPDATE ON renewer.ledger_entry TO CURRENT_USER")
    conn.execute("UPDATE renewer.ledger_entry SET reference = 'x' WHERE seq = 2")
    conn.execute("REVOKE UPDATE ON renewer.ledger_entry FROM CURRENT_USER")
    assert command(fed, "verify").returncode == 0
    done = command(fed, "verify", "--seals")
    assert done.returncode == 1
    assert "an entry, or a seal, was changed" in " ".join(done.stdout.split())


@pytest.mark.parametrize("head", ["x", "1", "1:ab", ":" + "a" * 64, "-1:" + "a" * 64])
def test_a_head_that_is_none_is_refused(fed: str, head: str) -> None:
    """With the form it has."""
    done = command(fed, "verify", "--head", head)
    assert (done.returncode, "is no head: give NUMBER:HASH" in done.stderr) == (2, True)


def test_a_worker_ticks(fed: str, conn: Database) -> None:
    """What the application posts reaches readers without their asking for it."""
    with started(fed, "worker", env={"RENEWER_MONITOR": "off"}):
        until(lambda: conn.execute("SELECT FROM renewer.tick").rowcount == 1)
        conn.execute("SELECT renewer.spend('a', 1, 's')")
        until(lambda: conn.execute("SELECT FROM renewer.tick").rowcount >= 2)
