"""What a stranger stumbled over in the first hour, and no longer does."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from renewer.cli.output import wrap_words
from renewer.store.connection import Database
from tests.support import (
    HEADER,
    ROOT,
    bring_in,
    command,
    documents,
    load_plans,
    renew,
)


def write(folder: Path, *lines: str) -> str:
    """Write a file of members; return its name."""
    path = folder / "members.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def test_status_counts_the_members_of_every_import(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """A census is at most hourly; after an import it is of now."""
    load_plans(conn)
    for name, count in (("a", 1), ("b", 2)):
        file = write(tmp_path, HEADER, f"{name},basic,2016-04-19,,,")
        assert command(database, "import", file).returncode == 0
        assert documents(database, "status")["members_by_plan"] == [
            {"plan": "basic", "status": "active", "members": count}
        ]


def test_a_failing_member_is_no_lag(database: str, conn: Database) -> None:
    """Status counts it apart and says since when it waits, before and at its retry."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19"], "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    due = command(database, "status", "--as-of", "2016-05-20").stdout
    assert due.startswith(
        "As of 2016-05-20 00:00 UTC: 1 member due, the oldest since 2016-05-19 00:00 "
        "UTC\n(1 day).\n"
    )
    renew(database, "2016-05-20")
    for as_of, members in (("2016-05-20T00:00", 0), ("2016-05-20T00:50", 1)):
        failed = command(database, "status", "--as-of", as_of).stdout
        assert f"UTC: {members} member{'s' * (1 - members)} due, no lag.\n" in failed
        assert "1 member failing, the oldest for 1 day" in " ".join(failed.split())


def test_failures_lists_who_failed(database: str, conn: Database) -> None:
    """With the reason and the next try; the parked ones last; none is said, too."""
    load_plans(conn)
    assert command(database, "failures").stdout == "No member failed.\n"
    bring_in(conn, ["a,basic,2016-04-19", "b,basic,2016-04-19"], "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    renew(database, "2016-05-20")
    assert command(database, "failures", "park", "a").returncode == 0
    document = documents(database, "failures")
    listed = [(each["member_id"], each["parked"]) for each in document["failures"]]
    assert (document["failed"], listed) == (2, [("b", False), ("a", True)])
    shown = command(database, "failures").stdout
    assert re.search(r"^b +1 +2016-05-20 00:50 UTC +unknown plan 'gold'", shown, re.M)
    assert re.search(r"^a +1 +parked +unknown plan 'gold'", shown, re.M)
    refused = command(database, "failures", "--json", "retry", "a")
    assert (refused.returncode, refused.stderr) == (
        2,
        "renewer: give --json behind retry\n",
    )


SETTINGS = {
    "RENEWER_THREADS=many": "='many' cannot be used: give a whole number",
    "RENEWER_THREADS=0": "='0' cannot be used: give 1 or more",
    "RENEWER_THREADS=65": "='65' cannot be used: give 64 or less",
    "RENEWER_STATEMENT_TIMEOUT=x": "='x' cannot be used: give a number",
    "RENEWER_CATCH_UP=no": "='no' cannot be used: use 'each' or 'latest'",
    "RENEWER_VERIFY_AT=7": (
        "='7' cannot be used: give HH:MM in UTC, such as 03:30, or off"
    ),
    "RENEWER_WEB_TOKEN=short": " cannot be used: give 32 bytes at least",
}
CALLS = {
    "preview m --cycles 0": "--cycles '0' cannot be used: give 1 or more",
    "preview m --cycles 1201": "--cycles '1201' cannot be used: give 1200 or less",
    "preview m --cycles x": "--cycles 'x' cannot be used: give a whole number",
    "run --catch-up x": (
        "--catch-up 'x' cannot be used: 'x' is not one of 'each', 'latest'"
    ),
    "export": "Missing argument 'WHAT'. Choose from: entries, members, lots",
    "run --foo": "No such option: --foo",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_refused_in_our_own_words(database: str, setting: str) -> None:
    """Which one, what is wrong, what to give; of a secret, not its value."""
    name, _, value = setting.partition("=")
    done = command(database, "run", env={name: value})
    told = f"renewer: {name}{SETTINGS[setting]}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


@pytest.mark.parametrize("call", CALLS)
def test_an_option_is_refused_in_one_line(database: str, call: str) -> None:
    """What is wrong, and where help is."""
    done = command(database, *call.split())
    told = f"renewer: {CALLS[call]}; see renewer {call.split()[0]} --help\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)


def test_a_misspelled_setting_is_warned_of() -> None:
    """In one line; what other programs may mean by it stops nothing."""
    env = {
        "RENEWER_THREAD": "4",
        "RENEWER_OTHER_TOOL": "x",
        "RENEWER_TEST_ANYTHING": "x",
        "RENEWER_CATCH_UP": "each",
        "RENEWER_Batch_Size": "100",
    }
    done = command("", "cycles", "--anchor", "2016-01-31", "--count", "1", env=env)
    assert (done.returncode, done.stderr) == (
        0,
        "renewer: RENEWER_OTHER_TOOL is no setting; "
        "RENEWER_THREAD is no setting, did you mean RENEWER_THREADS?\n",
    )


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("America/Lima", "-05:00"),
        ("Asia/Kolkata", "+05:30"),
        ("UTC", "UTC"),
    ],
)
def test_an_offset_is_written_with_its_colon(zone: str, offset: str) -> None:
    """As in ISO 8601, so that it is read back."""
    cycles = ("cycles", "--anchor", "2016-01-31", "--timezone", zone, "--count", "1")
    assert command("", *cycles).stdout.endswith(f"2016-01-31 00:00 {offset}\n")


def test_an_instant_stays_beside_its_offset(database: str, conn: Database) -> None:
    """In a table that is as wide as a terminal: a heading gives way instead."""
    load_plans(conn, "upwork-2025")
    bring_in(conn, ["a,plus,2025-11-05,America/Lima,active,30"], "2026-03-01")
    renew(database, "2026-03-06T00:00")
    lines = command(database, "explain", "a", "--as-of", "2026-03-07").stdout
    told = [line for line in lines.splitlines() if line.endswith("—")]
    assert [" ".join(line.split()) for line in told] == [
        "rollover 30 2026-03-05 00:00 -05:00 2027-02-05 00:00 -05:00 —",
        "allowance 100 2026-03-05 00:00 -05:00 2027-03-05 00:00 -05:00 —",
    ]


def test_a_name_is_shown_whole_however_long(database: str, conn: Database) -> None:
    """It goes on in the next line; the rest of the row keeps its place."""
    load_plans(conn)
    name = "".join(chr(ord("a") + n % 26) for n in range(64))
    bring_in(conn, [f"{name},plus,2016-04-19,America/Lima"], "2016-05-01")
    lines = command(database, "members").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(line.split()[0] for line in lines[2:]) == name
    assert lines[2].endswith(" 2016-05-19 00:00 -05:00")


def test_an_audit_says_what_was_made_up_later(database: str, conn: Database) -> None:
    """In words; its document keeps the short name."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19"], "2016-05-01")
    command(database, "run", "--as-of", "2016-07-20", "--catch-up", "latest")
    span = ("--from", "2016-05-01", "--to", "2016-06-30")
    assert command(database, "backfill", *span).returncode == 0
    shown = command(database, "audit", *span).stdout.splitlines()
    assert shown[2].split("   ")[-1].strip() == "of it made up later"
    assert " ".join(shown[4].split()) == "basic caught up 2 120 120 120"
    assert documents(database, "audit", *span)["totals"][0]["late"] == 120


def test_a_member_without_entries_has_none_yet(database: str, conn: Database) -> None:
    """There is no time to speak of when none was named."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19"], "2016-05-01")
    assert command(database, "history", "a").stdout.endswith("\nNo entries yet.\n")
    for asked in (["--days", "7"], ["--as-of", "2016-05-02"], ["--before", "1"]):
        shown = command(database, "history", "a", *asked).stdout
        assert shown.endswith("\nNothing happened in that time.\n")


def test_an_empty_file_of_members_is_named(
    database: str, conn: Database, tmp_path: Path
) -> None:
    """One that has nothing, and one that has a header alone."""
    load_plans(conn)
    done = command(database, "import", write(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "renewer: the file is empty: the first line must name the columns "
        "member_id,plan,anchor_on and may name timezone,status,balance\n",
    )
    done = command(database, "import", write(tmp_path, HEADER))
    assert (done.returncode, done.stdout) == (
        0,
        "0 members imported: the file has no line below its header.\n",
    )


@pytest.mark.gate
def test_no_figure_is_split_from_its_unit(database: str, conn: Database) -> None:
    """Where a line ends, no blank stays, and no number is left without its word."""
    load_plans(conn)
    members = [f"m{n},plus,2016-04-19,Asia/Tokyo,active,300" for n in range(12)]
    bring_in(conn, members, "2016-05-14")
    calls = (
        ["run", "--as-of", "2016-05-20"],
        ["run", "--as-of", "2016-06-20", "--member", "m1"],
        ["backfill", "--from", "2016-05-01", "--to", "2016-05-30"],
        ["verify"],
        ["status"],
        ["audit", "--from", "2016-05-01", "--to", "2016-05-30"],
        ["explain", "m1", "--as-of", "2016-05-20"],
    )
    for call in calls:
        lines = command(database, *call).stdout.splitlines()
        assert [line for line in lines if line != line.rstrip()] == []
        # Rows of tables have blanks between their columns.
        told = [line for line in lines if "  " not in line]
        split = [
            (line, after)
            for line, after in pairwise(told)
            if re.search(r"\d$", line) and re.match(r"[A-Za-z]", after)
        ]
        assert split == []


@pytest.mark.parametrize("width", range(12, 100))
def test_text_is_wrapped_at_any_width_without_splitting_a_figure(width: int) -> None:
    """All of it comes back when the lines are put together."""
    text = "Pass 12 as of 2016-05-20 00:00 UTC: 1 due; 3 entries in 0.1 s, 14 MB/s."
    lines = wrap_words(text, width)
    assert " ".join(lines) == text
    assert [line for line in lines[:-1] if re.search(r"\b(1|3|14|0\.1)$", line)] == []
    assert max(map(len, lines)) <= width


def test_one_is_told_in_the_singular(database: str, conn: Database) -> None:
    """Of what passes, audits and verifications count."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19"], "2016-05-14")
    passed = command(database, "run", "--as-of", "2016-05-20").stdout
    assert "1 due, 1 renewed; 1 entry in " in passed
    span = ("--from", "2016-05-01", "--to", "2016-05-30")
    audited = command(database, "audit", *span).stdout
    assert audited.startswith("1 cycle of 1 member begins from 2016-05-01 to ")
    repaired = command(database, "backfill", *span, "--as-of", "2016-05-20").stdout
    assert "; 0 entries in" in " ".join(repaired.split())
    conn.execute("UPDATE renewer.member SET balance = balance + 1")
    verified = command(database, "verify", "--fix").stdout
    assert verified.startswith("0 boundaries moved.\nLooked at 1 member, 1 entry, ")
    assert "add up to: 1 violation\n" in verified


def test_a_check_that_fails_says_where_to_look(database: str, conn: Database) -> None:
    """It stays one line."""
    load_plans(conn)
    done = command(database, "status", "--check")
    assert (done.returncode, done.stdout) == (
        1,
        "NOT WELL: no pass has succeeded yet (see: renewer status)\n",
    )


def facts_of(database: str, member: str) -> dict[str, str]:
    """Return the facts that `explain` shows of a member on 20 May 2016."""
    lines = command(database, "explain", member, "--as-of", "2016-05-20").stdout
    rows = (re.split(r" {2,}", line) for line in lines.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


def test_what_could_not_be_resolved_is_not_shown_as_settled(
    database: str, conn: Database
) -> None:
    """Neither a plan, nor the one that comes next, nor a zone, nor what follows."""
    load_plans(conn)
    names = ("plan", "next", "zone")
    bring_in(conn, [f"{name},basic,2016-04-19" for name in names], "2016-05-01")
    for column, value, member in (
        ("plan", "gold", "plan"),
        ("pending_plan", "gold", "next"),
        ("timezone", "Mars/Base", "zone"),
    ):
        conn.execute(
            f"UPDATE renewer.member SET {column} = %s WHERE member_id = %s",
            [value, member],
        )
    renew(database, "2016-05-20")
    shown = {name: facts_of(database, name) for name in names}
    assert shown["plan"]["plan"] == "gold: could not be resolved"
    assert shown["next"]["plan"] == (
        "basic: 60 a month, rollover cap 0; then gold: could not be resolved"
    )
    assert shown["zone"]["cycle"] == (
        "2016-04-19 to 2016-05-18, number 0, Mars/Base: could not be resolved"
    )
    for facts in shown.values():
        assert facts["awards at"] == "2016-05-19 00:00 UTC, once this is mended"
        assert facts["then"] == "not known before this is mended"


def test_a_log_goes_where_stderr_was_sent(database: str, tmp_path: Path) -> None:
    """On a terminal a pass is told once; a file of its own gets the line of JSON."""
    log = tmp_path / "log"
    env = os.environ | {"RENEWER_DATABASE_URL": database, "FORCE_COLOR": "1"}
    run = f"{sys.executable} -m renewer run"

    def on_terminal(line: str) -> str:
        asked = ["script", "-qec", line, "/dev/null"]
        return subprocess.run(
            asked, cwd=ROOT, env=env, check=True, capture_output=True, text=True
        ).stdout

    shown = on_terminal(run)
    assert shown.count("Pass 1 as of") == 1
    assert "renewal.pass_finished" not in shown
    shown = on_terminal(f"{run} 2>{log}")
    assert "renewal.pass_finished" not in shown
    assert shown.count("Pass 2 as of") == 1
    assert '"event": "renewal.pass_finished"' in log.read_text()
