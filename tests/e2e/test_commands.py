"""
The real command line against a real database: what it prints, what it refuses, what it
leaves with.
"""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from renewer.store.connection import Database
from tests.support import (
    HEADER,
    MIGRATIONS,
    bring_in,
    command,
    documents,
    load_plans,
    renew,
    statement,
)


@pytest.fixture
def members_csv(tmp_path: Path) -> Path:
    path = tmp_path / "members.csv"
    path.write_text(
        f"{HEADER}\nana,basic,2016-04-19,UTC,active,2\nben,plus,2016-04-19,Asia/Tokyo,active,30\n"
    )
    return path


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line a refused command prints."""
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_from_an_empty_database_to_renewed_members(
    empty_database: str, members_csv: Path
) -> None:
    """The README's path: migrate, plans, import, run, history, verify."""
    assert documents(empty_database, "migrate") == {
        "applied": MIGRATIONS,
        "roles": False,
    }
    assert documents(empty_database, "plans", "load", "upwork-2016") == {
        "loaded": 3,
        "unchanged": 0,
    }
    assert documents(empty_database, "plans", "load", "upwork-2016") == {
        "loaded": 0,
        "unchanged": 3,
    }
    imported = documents(
        empty_database, "import", str(members_csv), "--as-of", "2016-05-14"
    )
    assert imported == {
        "as_of": "2016-05-14T00:00:00+00:00",
        "columns": HEADER.split(","),
        "imported": 2,
        "bad": 0,
        "bad_lines": [],
    }
    outcome = documents(empty_database, "run", "--as-of", "2016-05-19T02:00:00+02:00")
    seconds = outcome.pop("seconds")
    assert seconds > 0
    assert outcome == {
        "run_id": 1,
        "as_of": "2016-05-19T00:00:00+00:00",
        "due": 2,
        "renewed": 2,
        "expired": 0,
        "applied": 0,
        "skipped": 0,
        "failed": 0,
        "entries": 5,
        "stopped": False,
        "left": 0,
        "failures": [],
    }
    assert documents(empty_database, "run", "--as-of", "2016-05-19")["due"] == 0
    history = documents(empty_database, "history", "ana")
    assert history["balance"] == 60
    assert [entry["kind"] for entry in history["entries"]] == [
        "opening",
        "expiry",
        "renewal",
    ]
    checked = documents(empty_database, "verify")
    assert checked.pop("looked_at") | {"seconds": 0} == {
        "members": 2,
        "entries": 7,
        "lots": 5,
        "since_at": "2016-05-14T00:00:00+00:00",
        "until_at": "2016-05-19T00:00:00+00:00",
        "seconds": 0,
    }
    assert checked == {"ok": True, "violations": []}


def test_history_reads_like_a_statement(database: str, conn: Database) -> None:
    """
    Awards have the words members know; a rollover is one line; times are the member's.
    """
    load_plans(conn)
    bring_in(conn, ["ben,plus,2016-04-19,Asia/Tokyo,active,30"], "2016-05-14")
    command(database, "run", "--as-of", "2016-05-19")
    lines = command(database, "history", "ben").stdout.splitlines()
    assert (
        lines[0]
        == "ben: plan plus, active, balance 100, next boundary 2016-06-19 00:00 +09:00"
    )
    assert [" ".join(line.split()) for line in lines[3:]] == [
        "2016-05-14 09:00 +09:00 Balance brought in +30 30",
        "2016-05-19 00:00 +09:00 30 unused Connects rolled over 0 30",
        "2016-05-19 00:00 +09:00 Monthly Connects renewal +70 100",
    ]


def test_a_text_report_fits_eighty_columns(database: str, conn: Database) -> None:
    """Whoever reads it on a pager or in a mail."""
    load_plans(conn)
    bring_in(
        conn,
        [f"{'x' * 64},plus,2016-04-19,America/Argentina/ComodRivadavia,active,30"],
        "2016-05-14",
    )
    for arguments in (
        ["plans", "list"],
        ["history", "x" * 64],
        ["verify"],
        ["cycles", "--anchor", "2016-01-31"],
    ):
        done = command(database, *arguments)
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80


def test_cycles_needs_no_database() -> None:
    """Boundaries alone, from the anchor or from the cycle that contains a time."""
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    assert documents(
        nowhere,
        "cycles",
        "--anchor",
        "2018-10-04",
        "--timezone",
        "America/Sao_Paulo",
        "--count",
        "2",
    ) == [
        {
            "n": 0,
            "first_day": "2018-10-04",
            "last_day": "2018-11-03",
            "starts_at": "2018-10-04T00:00:00-03:00",
        },
        {
            "n": 1,
            "first_day": "2018-11-04",
            "last_day": "2018-12-03",
            "starts_at": "2018-11-04T01:00:00-02:00",
        },
    ]
    (found,) = documents(
        nowhere,
        "cycles",
        "--anchor",
        "2018-11-05",
        "--count",
        "1",
        "--as-of",
        "2018-12-04T23:59",
    )
    assert (found["n"], found["last_day"]) == (0, "2018-12-04")


def test_bad_lines_are_named_and_nothing_is_imported(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """Exit code 1; with --skip-bad the rest comes in, still with exit code 1."""
    load_plans(conn)
    path = tmp_path / "bad.csv"
    path.write_bytes(
        f"{HEADER}\na,gold,2016-04-19,,,\nb,basic,2016-04-19,,,\n".encode()
        + b"\xff,basic,2016-04-19,,,\n"
    )
    done = command(database, "import", str(path), "--as-of", "2016-05-01")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Columns read: {HEADER.replace(',', ', ')}.",
        "line 2: unknown plan 'gold': the plans are agency-plus, basic, plus",
        "line 4: not valid UTF-8 at byte 1: save the file as UTF-8",
    ]
    assert done.stdout == (
        "Nothing imported: 2 bad lines. Mend what is wrong, or import the rest with\n"
        "--skip-bad.\n"
    )
    document = documents(
        database, "import", str(path), "--as-of", "2016-05-01", "--skip-bad"
    )
    assert (document["imported"], [each["line"] for each in document["bad_lines"]]) == (
        1,
        [2, 4],
    )


def test_a_dry_run_shows_what_would_be_posted(database: str, conn: Database) -> None:
    """By plan and kind; of named members entry by entry; nothing is written."""
    load_plans(conn)
    bring_in(
        conn,
        ["a,basic,2016-04-19,,,2", "b,plus,2016-04-19,,,9", "c,basic,2016-04-19"],
        "2016-05-01",
    )
    rehearse = ("run", "--as-of", "2016-05-20", "--dry-run")
    document = documents(database, *rehearse)
    assert document["posted"] is None
    assert [tuple(each.values()) for each in document["planned"]] == [
        ("basic", "expiry", 1, -2),
        ("basic", "renewal", 2, 120),
        ("plus", "renewal", 1, 70),
        ("plus", "rollover", 2, 0),
    ]
    shown = command(database, *rehearse).stdout
    assert re.search(r"basic +expiry +1 +−2\n", shown)
    assert re.search(r"basic +renewal +2 +\+120\n", shown)
    named = documents(database, *rehearse, "--member", "a")
    told = [(each["kind"], each["amount"]) for each in named["posted"]]
    assert told == [("expiry", -2), ("renewal", 60)]
    one = command(database, *rehearse, "--member", "a").stdout
    assert re.search(r"a +renewal +2016-05-19 +\+60 +60\n", one)
    assert statement(conn, "a") == [("opening", 2, 2)]


def test_a_statement_is_shown_in_pages(database: str, conn: Database) -> None:
    """The newest entries first; each page names the command for the one before."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19"], "2016-05-01")
    renew(database, "2016-09-20")
    seqs = []
    before: tuple[str, ...] = ()
    while True:
        page = documents(database, "history", "a", "--limit", "4", *before)
        seqs.append([each["seq"] for each in page["entries"]])
        if page["entries"][0]["seq"] == 1:
            break
        before = ("--before", str(page["entries"][0]["seq"]))
    assert seqs == [[6, 7, 8, 9], [2, 3, 4, 5], [1]]
    shown = command(database, "history", "a", "--limit", "4").stdout
    assert "renewer history a --limit 4 --before 6\n" in shown
    first = command(database, "history", "a", "--limit", "4", "--before", "2").stdout
    assert "--before" not in first


def test_bad_lines_are_grouped_by_reason(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """Each reason once, with its first line; all of them with --all."""
    load_plans(conn)
    path = tmp_path / "bad.csv"
    lines = [f"m{n},Basic,2016-04-19,,," for n in range(1500)]
    lines += [" a,basic,2016-04-19,,,", "b,basic,2016-04-19,utc,,"]
    path.write_text("\n".join([HEADER, *lines]))
    done = command(database, "import", str(path), "--as-of", "2016-05-01")
    assert done.stderr.splitlines()[1:] == [
        "1,500 lines: unknown plan 'Basic': did you mean 'basic'?, e.g. line 2 "
        "(--all names each)",
        "line 1502: member_id has a blank at its begin or end: take it away",
        "line 1503: unknown time zone 'utc': did you mean 'UTC'?",
    ]
    every = command(database, "import", str(path), "--as-of", "2016-05-01", "--all")
    assert len(every.stderr.splitlines()) == 1 + 1502
    refused = command(database, "import", str(path), "--update")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "import only adds members" in refused.stderr


def test_a_failed_member_is_exit_code_one(database: str, conn: Database) -> None:
    """Everyone else is renewed, and the failure is named."""
    load_plans(conn)
    bring_in(conn, ["bad,basic,2016-04-19", "good,basic,2016-04-19"], "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'bad'")
    done = command(database, "run", "--as-of", "2016-05-20")
    assert done.returncode == 1
    assert "2 due, 1 renewed, 1 failed" in done.stdout
    assert "bad: unknown plan 'gold'" in done.stderr
    assert statement(conn, "good") == [("renewal", 60, 60)]


def test_a_broken_invariant_is_exit_code_one(database: str, conn: Database) -> None:
    """The member and what is wrong are printed."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19,,,5"], "2016-05-01")
    conn.execute("UPDATE renewer.member SET balance = 6")
    done = command(database, "verify")
    assert done.returncode == 1
    assert "balance 6, entries 5, lots 5, last balance_after 5" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--as-of", "yesterday"], "--as-of 'yesterday' is not a time"),
        (["run", "--as-of", "2016-02-30"], "--as-of '2016-02-30' is not a time"),
        (["run", "--member", "nobody"], "unknown member 'nobody'"),
        (
            ["plans", "load", "upwork-2061"],
            "there is no file upwork-2061, and the presets are",
        ),
        (["cycles", "--anchor", "2016-02-30"], "--anchor '2016-02-30' is not a date"),
        (
            ["cycles", "--anchor", "2016-02-01", "--timezone", "Mars/Base"],
            "unknown time zone 'Mars/Base'",
        ),
        (
            ["cycles", "--anchor", "2016-02-01", "--as-of", "2015-01-01"],
            "is before the anchor",
        ),
        (["cycles", "--anchor", "1800-02-01"], "outside the calendar"),
    ],
)
def test_bad_arguments_get_one_line_and_exit_code_two(
    database: str, arguments: list[str], message: str
) -> None:
    """It says what is wrong and what would be right."""
    done = command(database, *arguments)
    assert done.returncode == 2
    assert message in complaint(done)


@pytest.mark.parametrize("arguments", [["run"], ["import", "{csv}"]])
def test_the_future_is_refused_unless_it_is_allowed(
    database: str, conn: Database, members_csv: Path, arguments: list[str]
) -> None:
    """What is posted stays posted: a slip in a year must not award it."""
    load_plans(conn)
    arguments = [argument.format(csv=members_csv) for argument in arguments]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    done = command(database, *arguments, "--as-of", tomorrow)
    assert done.returncode == 2
    assert "add --allow-future if you mean it" in complaint(done)
    assert (
        command(database, *arguments, "--as-of", tomorrow, "--allow-future").returncode
        == 0
    )


@pytest.mark.parametrize(
    "arguments", [["migrate"], ["run"], ["verify"], ["history", "ana"]]
)
@pytest.mark.parametrize(
    "address", ["postgresql://nobody@127.0.0.1:1/none", "host=/nowhere dbname=none"]
)
def test_a_database_that_is_not_there_is_exit_code_three(
    arguments: list[str], address: str
) -> None:
    """One line, no traceback, and never a password."""
    done = command(address, *arguments)
    assert done.returncode == 3
    assert complaint(done).startswith("renewer: the database cannot be reached: ")


MISTYPED = [
    "postgresql://me:s3cret@127.0.0.1:1/none",
    "host=127.0.0.1 password=s3cret port=x",
    "host=127.0.0.1 password='s3cret port=1",
    "postgres//me:s3cret@127.0.0.1/db",
    "postgresql://me:s3cret%zz@127.0.0.1/db",
    "postgresql+psycopg://me:s3cret@127.0.0.1/db",
    " postgresql://me:s3cret@127.0.0.1:1/db",
    "me:s3cret@127.0.0.1/db",
    "postgresql://me:s3cret@[::1/db",
    "postgresql://me:s3cret/s3cret@127.0.0.1/db",
    "postgresql://me:s3cret@s3cret@127.0.0.1/db",
    "postgresql://me:s3cret:s3cret@127.0.0.1/db",
    "postgresql://127.0.0.1:1/db?password=s3cret&port=s3cret",
    # A byte that is no UTF-8.
    "postgresql://me:s3cret\udcff@127.0.0.1:1/db",
]


@pytest.mark.parametrize("address", MISTYPED)
@pytest.mark.parametrize("arguments", [["run"], ["migrate"]])
def test_no_password_is_ever_printed(address: str, arguments: list[str]) -> None:
    """Neither when the database is away nor however its address is mistyped."""
    done = command(address, *arguments)
    assert done.returncode in (2, 3)
    assert "s3cret" not in done.stdout + done.stderr
    assert complaint(done).startswith("renewer: the database")


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["verify"], ["plans", "list"], ["history", "ana"], ["worker"]],
)
def test_a_database_without_a_schema_says_migrate(
    empty_database: str, arguments: list[str]
) -> None:
    """Exit code 2 and the command that helps."""
    done = command(empty_database, *arguments)
    assert done.returncode == 2
    assert (
        complaint(done)
        == "renewer: the database has no renewer schema yet: run `renewer migrate`"
    )


def test_an_unknown_member_has_no_history(database: str) -> None:
    """Exit code 1: a person has to look."""
    done = command(database, "history", "nobody")
    assert done.returncode == 1
    assert "unknown member 'nobody'" in complaint(done)


def test_a_changed_revision_is_refused_whole(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """The one on record stays, and so does everything else."""
    load_plans(conn)
    path = tmp_path / "plans.toml"
    plan = (
        '[[plans]]\ncode = "{}"\neffective_from = 1970-01-01\n'
        'allowance = 61\nrollover_cap = "unlimited"\n'
    )
    path.write_text(plan.format("new") + plan.format("basic"))
    done = command(database, "plans", "load", str(path))
    assert done.returncode == 2
    assert "plan 'basic' from 1970-01-01 is on record with other values" in complaint(
        done
    )
    assert {each["code"] for each in documents(database, "plans", "list")} == {
        "agency-plus",
        "basic",
        "plus",
    }


def test_a_setting_that_is_wrong_is_named(database: str) -> None:
    """The variable and its value."""
    done = command(database, "run", env={"RENEWER_THREADS": "many"})
    assert done.returncode == 2
    assert complaint(done).startswith(
        "renewer: RENEWER_THREADS='many' cannot be used: "
    )


def test_logs_are_json_lines_where_there_is_no_terminal(database: str) -> None:
    """One canonical line a pass, on stderr; stdout has the document alone."""
    done = command(database, "run", "--json")
    assert json.loads(done.stdout)["due"] == 0
    (line,) = done.stderr.splitlines()
    logged = json.loads(line)
    assert logged["event"] == "renewal.pass_finished"
    assert logged["renewed"] == 0


def test_a_reader_that_leaves_early_is_no_error(database: str) -> None:
    """`renewer … | head` prints no traceback."""
    env = os.environ | {"RENEWER_DATABASE_URL": database}
    cycles = "renewer cycles --anchor 2016-01-31 --count 9000"
    line = f"{sys.executable} -m {cycles} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", line],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""


def test_an_output_that_knows_no_dashes_is_no_error(
    database: str, conn: Database
) -> None:
    """What it cannot show is replaced."""
    load_plans(conn)
    bring_in(conn, ["é,plus,2016-04-19,,,200"], "2016-05-01")
    command(database, "run", "--as-of", "2016-05-20")
    done = command(database, "history", "é", env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "Monthly Connects renewal" in done.stdout


def test_the_time_zone_of_the_host_changes_nothing(
    database: str, conn: Database
) -> None:
    """Boundaries are the member's, whatever TZ says."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    env = {"TZ": "Pacific/Kiritimati", "PGTZ": "America/Los_Angeles"}
    assert (
        documents(database, "run", "--as-of", "2016-05-18T23:59:59", env=env)["due"]
        == 0
    )
    assert (
        documents(database, "run", "--as-of", "2016-05-19T00:00:00", env=env)["renewed"]
        == 1
    )
    assert documents(database, "verify", env=env)["ok"]


def test_a_minus_sign_stays_one_where_there_is_only_ascii(
    database: str, conn: Database
) -> None:
    """An expiry must not read like an award."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19,,,2"], "2016-05-01")
    renew(database, "2016-05-20")
    done = command(database, "history", "a", env={"PYTHONIOENCODING": "ascii"})
    assert re.search(r"Unused Connects expired .*\| +-2 \| +0\n", done.stdout)
    assert done.stdout.isascii()


def test_status_after_an_import_says_who_there_is(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """Members by plan and status, and when the next boundary comes."""
    load_plans(conn)
    path = tmp_path / "members.csv"
    lines = ["a,basic,2016-04-19,,,", "b,basic,2016-04-19,,,", "c,plus,2016-04-20,,,"]
    path.write_text("\n".join([HEADER, *lines]))
    done = command(database, "import", str(path), "--as-of", "2016-05-01")
    assert done.stdout == "3 members imported.\n"
    document = documents(database, "status", "--as-of", "2016-05-02")
    assert document["next_due_at"] == "2016-05-19T00:00:00+00:00"
    assert document["members_by_plan"] == [
        {"plan": "basic", "status": "active", "members": 2},
        {"plan": "plus", "status": "active", "members": 1},
    ]
    shown = command(database, "status", "--as-of", "2016-05-02").stdout
    assert "The next one becomes due at 2016-05-19 00:00 UTC.\n" in shown
    assert re.search(r"basic +active +2\n", shown)
