"""
The commands that repair and that show the state of things, through the real command
line.
"""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from renewer.jobs import plan_files
from renewer.rules.ledger import CatchUp
from renewer.rules.plans import Revision
from renewer.store.connection import Database
from tests.support import (
    EPOCH,
    bring_in,
    command,
    documents,
    load_plans,
    renew,
    statement,
    utc,
    violations,
)

pytestmark = pytest.mark.gate

RANGE = ("--from", "2016-05-01", "--to", "2016-07-31", "--as-of", "2016-08-25T10:00")


@pytest.fixture
def missed(database: str, conn: Database) -> str:
    """
    A database whose job was away until August 20 and caught up with the latest cycle
    alone; bad has no plan.
    """
    load_plans(conn)
    bring_in(
        conn,
        [
            "ana,basic,2016-04-19,,,2",
            "bad,basic,2016-04-19",
            "ben,plus,2016-04-19,Asia/Tokyo,,30",
        ],
        "2016-05-14",
    )
    renew(database, "2016-08-20", catch_up=CatchUp.LATEST)
    bring_in(conn, ["new,basic,2016-07-25"], "2016-08-21")
    return database


def without_run(document: dict[str, Any]) -> dict[str, Any]:
    """Return what a dry run has in common with the real one."""
    return {
        name: value
        for name, value in document.items()
        if name not in ("run_id", "seconds")
    }


def test_a_dry_run_prints_exactly_what_the_real_run_then_does(
    missed: str, conn: Database
) -> None:
    """
    Entry by entry.

    Afterwards nothing is left to do, and the ledger holds what was printed.
    """
    before = {name: len(statement(conn, name)) for name in ("ana", "ben")}
    dry = documents(
        missed, "backfill", *RANGE, "--reason", "the scheduler was down", "--dry-run"
    )
    assert dry["run_id"] is None
    assert {name: len(statement(conn, name)) for name in ("ana", "ben")} == before
    real = documents(missed, "backfill", *RANGE, "--reason", "the scheduler was down")
    assert without_run(real) == without_run(dry)
    assert real["posted"][0] == {
        "member_id": "ana",
        "kind": "late_renewal",
        "first_day": "2016-05-19",
        "amount": 60,
        "balance_after": 120,
        "occurred_at": "2016-08-25T10:00:00+00:00",
        "reason": "the scheduler was down",
    }
    assert [(row["member_id"], row["amount"]) for row in real["posted"]] == [
        ("ana", 60)
    ] * 3 + [("bad", 60)] * 3 + [("ben", 70)] * 3
    counts = ("looked", "due", "renewed", "late", "skipped", "failed", "entries")
    assert {name: real[name] for name in counts} == dict(
        zip(counts, (4, 3, 0, 3, 0, 0, 9), strict=True)
    )
    again = documents(missed, "backfill", *RANGE)
    assert (again["posted"], again["due"]) == ([], 0)
    assert violations(conn) == []


def test_a_backfill_prints_a_summary_by_outcome(missed: str, conn: Database) -> None:
    """
    The same text for both but for the last line.

    Exit code 1 and the list when members failed.
    """
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'bad'")
    dry, real = (
        command(missed, "backfill", *RANGE, *more) for more in (["--dry-run"], [])
    )
    assert (dry.returncode, real.returncode) == (1, 1)
    assert real.stdout.splitlines()[:-2] == dry.stdout.splitlines()[:-2]
    lines = [" ".join(line.split()) for line in real.stdout.splitlines()]
    assert lines[2] == "ana late renewal 2016-05-19 +60 120"
    assert lines[-7:-2] == [
        "──────────────────────────────────────",
        "boundaries posted 0 0",
        "made up for late 2 +390",
        "nothing to repair 1",
        "failed 1",
    ]
    assert lines[-2] == (
        "Backfill 2: cycles that began from 2016-05-01 to 2016-07-31, as of 2016-08-25"
    )
    assert dry.stdout.splitlines()[-2].startswith(
        "Dry run, nothing written: cycles that began"
    )
    assert "bad: unknown plan 'gold': load it with `renewer plans load`" in real.stderr


def test_boundaries_never_posted_are_listed_with_all_they_post(
    database: str, conn: Database
) -> None:
    """Dry and real alike: what expires and what is renewed."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,,,2"], "2016-05-14")
    dry, real = (
        documents(database, "backfill", *RANGE, *more) for more in (["--dry-run"], [])
    )
    assert without_run(dry) == without_run(real)
    assert [
        (row["kind"], row["amount"], row["occurred_at"][:10]) for row in real["posted"]
    ] == [
        ("expiry", -2, "2016-05-19"),
        ("renewal", 60, "2016-05-19"),
        ("expiry", -60, "2016-06-19"),
        ("renewal", 60, "2016-06-19"),
        ("expiry", -60, "2016-07-19"),
        ("renewal", 60, "2016-07-19"),
    ]


def test_a_backfill_killed_half_way_is_finished_by_the_next(
    database: str, conn: Database
) -> None:
    """Each cycle is awarded once, whatever the first run did."""
    plan_files.record_plans(conn, [Revision("basic", EPOCH, 60, None)])
    names = [f"m{number:04}" for number in range(3000)]
    bring_in(conn, [f"{name},basic,2016-04-19" for name in names], "2016-05-14")
    renew(database, "2016-08-20", catch_up=CatchUp.LATEST)
    process = subprocess.Popen(
        [sys.executable, "-m", "renewer", "backfill", *RANGE],
        env=os.environ | {"RENEWER_DATABASE_URL": database, "RENEWER_BATCH_SIZE": "20"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    count = (
        "SELECT count(*) AS late FROM renewer.ledger_entry WHERE kind = 'late_renewal'"
    )
    for _ in range(1000):
        late = (conn.execute(count).fetchone() or {})["late"]
        if late:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    half = (conn.execute(count).fetchone() or {})["late"]
    assert 0 < half < 9000
    rest = documents(database, "backfill", *RANGE)
    assert rest["entries"] == 9000 - half
    assert (conn.execute(count).fetchone() or {})["late"] == 9000
    assert violations(conn) == []


def test_a_backfill_whose_reader_leaves_is_done_all_the_same(
    database: str, conn: Database
) -> None:
    """
    As in `renewer backfill … --json | head`: what was asked for is posted, and the run
    is recorded as finished.
    """
    plan_files.record_plans(conn, [Revision("basic", EPOCH, 60, None)])
    bring_in(
        conn, [f"m{number:04},basic,2016-04-19" for number in range(1000)], "2016-05-14"
    )
    renew(database, "2016-08-20", catch_up=CatchUp.LATEST)
    process = subprocess.Popen(
        [sys.executable, "-m", "renewer", "backfill", *RANGE, "--json"],
        env=os.environ
        | {"RENEWER_DATABASE_URL": database, "RENEWER_BATCH_SIZE": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    process.wait()
    query = (
        "SELECT late, finished_at IS NOT NULL AS finished "
        "FROM renewer.run ORDER BY run_id DESC"
    )
    row = conn.execute(query).fetchone()
    assert row == {"late": 1000, "finished": True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["backfill", "--from", "2016-06-01", "--to", "2016-05-01"],
            "--from 2016-06-01 is after --to 2016-05-01",
        ),
        (
            ["backfill", "--from", "June", "--to", "2016-05-01"],
            "--from 'June' is not a date",
        ),
        (
            ["backfill", *RANGE, "--plan", "gold"],
            "unknown plan 'gold': the plans are agency-plus, basic, plus",
        ),
        (["backfill", *RANGE, "--member", "nobody"], "unknown member 'nobody'"),
        (["backfill", *RANGE, "--reason", "two\nlines"], "--reason must be one line"),
        (["failures", "retry", "ana"], "member 'ana' has no failure on record"),
        (["explain", "ana", "--as-of", "2016-08-01"], "`renewer history` has the past"),
    ],
)
def test_bad_arguments_get_one_line_and_exit_code_two(
    missed: str, arguments: list[str], message: str
) -> None:
    """It says what is wrong and what would be right; nothing is printed on stdout."""
    done = command(missed, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["history"], ["preview"], ["failures", "park"], ["failures", "retry"]]
)
def test_an_unknown_member_is_exit_code_one(missed: str, arguments: list[str]) -> None:
    """One line, no table."""
    done = command(missed, *arguments, "nobody")
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "renewer: unknown member 'nobody': check the name\n",
    )


def test_free_text_is_shown_as_it_is(database: str, conn: Database) -> None:
    """Brackets and colons of references, plans and names are no markup."""
    plan_files.record_plans(conn, [Revision("[/b]p:tada:", EPOCH, 60, 0)])
    bring_in(conn, ["[red]ana,[/b]p:tada:,2016-04-19,,,9"], "2016-05-14")
    conn.execute(
        "SELECT renewer.spend('[red]ana', 1, 'proposal[job]7[/x]', %s)",
        [utc("2016-05-14")],
    )
    for name in ("history", "explain", "preview"):
        done = command(database, name, "[red]ana", "--as-of", "2016-05-16")
        assert (done.returncode, done.stderr) == (0, "")
        assert "[/b]p:tada:" in done.stdout
        assert name != "history" or "proposal[job]7[/x]" in done.stdout


@pytest.mark.parametrize("as_of", ["0001-01-01", "1899-12-31", "9999-12-31T23:59"])
@pytest.mark.parametrize("name", ["explain", "preview", "history"])
def test_a_time_out_of_reach_is_refused(missed: str, name: str, as_of: str) -> None:
    """At once: nobody plans eight thousand years."""
    done = command(missed, name, "ana", "--as-of", as_of, timeout=20)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is out of reach: use 1900 to 100 years from now" in done.stderr


def test_an_argument_that_is_no_text_is_refused(database: str) -> None:
    """One line, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "renewer", "explain", b"\xff"],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        b"renewer: an argument is not valid UTF-8: check the terminal's encoding\n",
    )


def test_of_an_unknown_member_there_is_only_the_headline(missed: str) -> None:
    """Nothing else can be told; exit code 1, and the text is the headline."""
    done = command(missed, "explain", "nobody", "--as-of", "2016-08-21", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "member_id": "nobody",
        "as_of": "2016-08-21T00:00:00+00:00",
        "status_code": "unknown_member",
        "headline": "We know no member “nobody”. Please check the id.",
        "notes": [],
    }
    text = command(missed, "explain", "nobody", "--as-of", "2016-08-21")
    assert (text.returncode, text.stdout) == (
        1,
        json.loads(done.stdout)["headline"] + "\n",
    )


def test_explain_is_one_document(missed: str) -> None:
    """Every field of the contract; instants with the member's offset."""
    document = documents(missed, "explain", "ben", "--as-of", "2016-08-22")
    fields = list(document)
    assert [note["code"] for note in document.pop("notes")] == [
        "unused_stay",
        "balance_after",
        "past",
        "gap",
        "start_day",
        "cycle",
    ]
    assert document["last_renewal"].pop("posted_at").endswith("+09:00")
    assert document.pop("past_cycles")[2:] == [
        {
            "first_day": f"2016-0{month}-19",
            "last_day": f"2016-0{month + 1}-18",
            "expected": 70,
            "awarded": awarded,
            "reason": reason,
        }
        for month, awarded, reason in ((7, 0, "caught_up"), (8, 70, None))
    ]
    assert document == {
        "member_id": "ben",
        "as_of": "2016-08-22T09:00:00+09:00",
        "status_code": "not_due",
        "headline": "Nothing is wrong. Your billing cycle ends on 18 September 2016. "
        "You get your next 70 Connects on 19 September 2016.",
        "timezone": "Asia/Tokyo",
        "plan": {
            "code": "plus",
            "allowance": 70,
            "rollover_cap": 140,
            "lifetime_months": None,
        },
        "pending_plan": None,
        "balance": 100,
        "cycle": {"n": 4, "first_day": "2016-08-19", "last_day": "2016-09-18"},
        "awards_at": "2016-09-19T00:00:00+09:00",
        "next": {"allowance": 70, "carried": 100, "expiring": 0, "balance_after": 170},
        "lots": [
            {
                "source": source,
                "remaining": remaining,
                "issued_at": f"2016-0{month}-19T00:00:00+09:00",
                "expires_at": None,
                "ends_with_cycle": False,
            }
            for source, remaining, month in (("rollover", 30, 5), ("allowance", 70, 8))
        ],
        "last_renewal": {"first_day": "2016-08-19", "amount": 70, "reason": None},
    }
    assert fields == [
        "member_id",
        "as_of",
        "status_code",
        "headline",
        "notes",
        "timezone",
        "plan",
        "pending_plan",
        "balance",
        "cycle",
        "awards_at",
        "next",
        "lots",
        "last_renewal",
        "past_cycles",
    ]


def test_preview_shows_what_the_job_then_posts(missed: str, conn: Database) -> None:
    """The figures of the preview are those of the ledger when the time has come."""
    preview = documents(
        missed, "preview", "ben", "--cycles", "3", "--as-of", "2016-08-21"
    )
    assert [cycle["awards_at"] for cycle in preview["cycles"]] == [
        f"2016-{month}-19T00:00:00+09:00" for month in ("09", "10", "11")
    ]
    renew(missed, "2016-11-20", members=["ben"])
    posted = [row for row in statement(conn, "ben") if row[0] == "renewal"][-3:]
    assert [
        ("renewal", cycle["allowance"], cycle["balance_after"])
        for cycle in preview["cycles"]
    ] == posted


def test_status_shows_lag_passes_and_failures(missed: str, conn: Database) -> None:
    """
    What is due and since when; each pass with its counts; each failure with its error
    and next try.
    """
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'bad'")
    renew(missed, "2016-09-19T01:00", members=["bad"])
    document = documents(missed, "status", "--as-of", "2016-09-19T01:30")
    (newest, first) = document["runs"]
    (failure,) = documents(missed, "failures")["failures"]
    expected = {
        "as_of": "2016-09-19T01:30:00+00:00",
        "light": "failing",
        "due": 3,
        "lag_seconds": 25 * 24 * 3600 + 5400,
        "oldest_due_at": "2016-08-25T00:00:00+00:00",
        "failing": 1,
        "failing_since": "2016-09-19T00:00:00+00:00",
        "parked": 0,
        "parked_since": None,
        "next_due_at": "2016-09-19T01:50:00+00:00",
        "census_at": None,
    }
    assert {name: document[name] for name in expected} == expected
    assert {name: newest[name] for name in ("run_id", "state", "due", "failed")} == {
        "run_id": 2,
        "state": "finished",
        "due": 1,
        "failed": 1,
    }
    assert (first["run_id"], first["renewed"], first["catch_up"]) == (1, 3, "latest")
    assert first["per_second"] > 0
    for name in ("first_failed_at", "last_failed_at"):
        failure.pop(name)
    assert failure == {
        "member_id": "bad",
        "code": "PlanError",
        "error": "unknown plan 'gold': load it with `renewer plans load`",
        "plan": "gold",
        "timezone": None,
        "attempts": 1,
        "next_try_at": "2016-09-19T01:50:00+00:00",
        "parked": False,
    }
    text = command(missed, "status", "--as-of", "2016-09-19T01:30").stdout
    assert "3 members due, the oldest since 2016-08-25 00:00 UTC" in text
    assert "unknown plan 'gold'" in " ".join(text.split())


def test_a_killed_pass_shows_as_interrupted(missed: str, conn: Database) -> None:
    """One that has not been seen for a minute and never ended."""
    conn.execute(
        "UPDATE renewer.run "
        "SET finished_at = NULL, seen_at = now() - make_interval(secs => 61)"
    )
    assert documents(missed, "status")["runs"][0]["state"] == "interrupted"
    conn.execute("UPDATE renewer.run SET seen_at = now()")
    assert documents(missed, "status")["runs"][0]["state"] == "running"


def test_a_failure_is_parked_and_tried_again(missed: str, conn: Database) -> None:
    """
    Parked, no pass takes the member up.

    Then the next pass does, and the failure is gone.
    """
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'bad'")
    renew(missed, "2016-09-19T01:00")
    assert documents(missed, "failures", "park", "bad") == {
        "member_id": "bad",
        "done": "park",
    }
    assert documents(missed, "failures")["failures"][0]["next_try_at"] is None
    conn.execute("UPDATE renewer.member SET plan = 'basic' WHERE member_id = 'bad'")
    assert renew(missed, "2016-10-25").counts.due == 3
    assert command(missed, "failures", "retry", "bad").stdout.startswith(
        "bad is tried again by the next pass;"
    )
    assert renew(missed, "2016-10-25").counts.renewed == 1
    assert documents(missed, "failures")["failures"] == []
    assert violations(conn) == []


def test_history_shows_the_last_days(missed: str) -> None:
    """7, 30 or 90 of them, before a time; award lines have the words members know."""
    shown = {
        days: [line["occurred_at"][:10] for line in history["lines"]]
        for days in ("7", "30", "90")
        for history in [
            documents(missed, "history", "ana", "--days", days, "--as-of", "2016-08-21")
        ]
    }
    assert shown == {
        "7": ["2016-08-19"],
        "30": ["2016-08-19"],
        "90": ["2016-06-19", "2016-07-19", "2016-08-19"],
    }
    lines = documents(missed, "history", "ben")["lines"]
    assert [(line["what"], line["amount"]) for line in lines] == [
        ("Balance brought in", 30),
        ("30 unused Connects rolled over", 0),
        ("Monthly Connects renewal: 0, missed and not made up for", 0),
        ("Monthly Connects renewal: 0, missed and not made up for", 0),
        ("Monthly Connects renewal: 0, missed and not made up for", 0),
        ("Monthly Connects renewal", 70),
    ]
    assert lines[1]["occurred_at"] == "2016-05-19T00:00:00+09:00"
    text = command(
        missed, "history", "ana", "--last", "7", "--as-of", "2017-08-21"
    ).stdout
    assert text.splitlines()[-1] == "Nothing happened in that time."


@pytest.mark.parametrize(
    "name", ["explain", "preview", "history", "status", "backfill"]
)
def test_tables_fit_eighty_columns(database: str, conn: Database, name: str) -> None:
    """With the longest of names, too; the headline is one line to be pasted."""
    member = "x" * 64
    plan_files.record_plans(
        conn,
        [
            Revision(
                "plan-with-a-rather-long-name-indeed",
                date(1970, 1, 1),
                2_000_000,
                None,
                12,
            )
        ],
    )
    bring_in(
        conn,
        [
            f"{member},plan-with-a-rather-long-name-indeed,2016-04-19,America/Argentina/ComodRivadavia"
        ],
        "2016-05-14",
    )
    renew(database, "2016-08-20", catch_up=CatchUp.LATEST)
    conn.execute(
        "INSERT INTO renewer.failure (member_id, code, message) "
        "VALUES (%s, 'PlanError', %s)",
        [member, "a message " * 20],
    )
    conn.execute("UPDATE renewer.member SET retry_at = now()")
    more = {"backfill": list(RANGE), "status": []}.get(
        name, [member, "--as-of", "2016-08-21"]
    )
    done = command(database, name, *more)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (
        name != "explain" or ["PlanError:" in line for line in lines].count(True) == 1
    )
    assert max(map(len, lines[name == "explain" :])) <= 80


@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(
    database: str, env: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    """NO_COLOR is respected, and a pipe never gets any."""
    command_line = [sys.executable, "-m", "renewer", "verify"]
    base = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")
    }
    base |= {"RENEWER_DATABASE_URL": database, "TERM": "xterm-256color"} | env
    main, terminal = pty.openpty()
    process = subprocess.Popen(
        command_line, env=base, stdout=terminal, stderr=subprocess.DEVNULL
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            read = os.read(main, 4096)
        except OSError:
            break
        if not read:
            break
        shown += read
    assert process.wait() == 0
    os.close(main)
    assert (b"\x1b[32m" in shown) is coloured
    piped = subprocess.run(command_line, env=base, capture_output=True, check=True)
    assert b"\x1b" not in piped.stdout
