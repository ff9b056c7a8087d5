"""What an auditor and a warehouse read, through the real command line."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from renewer.store.connection import Database
from tests.support import bring_in, command, documents, load_plans, renew

MAY = ("--from", "2016-05-01", "--to", "2016-05-31")


@pytest.fixture
def renewed(database: str, conn: Database) -> str:
    """Four members whose boundaries of May are posted; eve's is held by a review."""
    load_plans(conn)
    bring_in(
        conn,
        [
            "ana,basic,2016-04-19,UTC,active,2",
            "ben,plus,2016-04-30,Asia/Tokyo,active,9",
            "cai,basic,2016-04-19,UTC,suspended,5",
            "eve,plus,2016-04-20,UTC,under_review,5",
        ],
        "2016-05-01",
    )
    renew(database, "2016-06-02T00:00")
    return database


def test_an_audit_shows_each_cycle_once(renewed: str, tmp_path: Path) -> None:
    """Totals by plan and reason, a row a member and cycle in the file, exit code 0."""
    path = tmp_path / "may.csv"
    document = documents(renewed, "audit", *MAY, "--csv", str(path))
    assert document["ok"] is True
    assert (document["members"], document["flaws"]) == (4, 0)
    plain = {"flaw": None, "reason": None, "cycles": 1, "late": 0}
    assert document["totals"] == [
        plain | {"plan": "basic", "expected": 60, "awarded": 60},
        plain | {"plan": "basic", "reason": "suspended", "expected": 60, "awarded": 0},
        plain | {"plan": "plus", "expected": 70, "awarded": 70},
        plain
        | {"plan": "plus", "reason": "under_review", "expected": 70, "awarded": 0},
    ]
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert [row["member_id"] for row in rows] == ["ana", "ben", "cai", "eve"]
    assert len(document["cycles"]) == 4
    assert rows[0]["first_day"] == document["cycles"][0]["first_day"] == "2016-05-19"
    assert rows[0]["posted_at"] == document["cycles"][0]["posted_at"]
    assert (
        documents(renewed, "audit", *MAY, "--plan", "plus")["totals"]
        == (document["totals"][2:])
    )


@pytest.mark.parametrize(
    ("sabotage", "wrong"),
    [
        ("DELETE FROM renewer.ledger_entry", "never awarded"),
        ("UPDATE renewer.ledger_entry SET amount = 110", "differs without a reason"),
    ],
)
def test_an_audit_names_what_is_wrong(
    renewed: str, conn: Database, sabotage: str, wrong: str
) -> None:
    """The member, the cycle and what to ask about; exit code 1."""
    conn.execute("GRANT UPDATE, DELETE ON renewer.ledger_entry TO CURRENT_USER")
    conn.execute(f"{sabotage} WHERE member_id = 'ana' AND kind = 'renewal'")
    done = command(renewed, "audit", *MAY)
    assert done.returncode == 1
    assert re.search(rf"ana +2016-05-19 +60 .*{wrong}", done.stdout)


def test_bad_ranges_plans_and_files_are_refused(renewed: str, tmp_path: Path) -> None:
    """With one line and exit code 2."""
    for arguments, said in [
        (("--from", "2016-06-01", "--to", "2016-05-01"), "give the earlier day first"),
        ((*MAY, "--plan", "gold"), "unknown plan 'gold'"),
        ((*MAY, "--csv", str(tmp_path / "no" / "file")), "cannot be written"),
    ]:
        done = command(renewed, "audit", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr


def test_an_award_of_rules_that_came_later_is_explained(
    renewed: str, conn: Database, tmp_path: Path
) -> None:
    """A revision loaded after the posting makes it no error, and says why."""
    path = tmp_path / "plans.toml"
    path.write_text(
        '[[plans]]\ncode = "basic"\neffective_from = 2016-05-10\n'
        "allowance = 80\nrollover_cap = 0\n"
    )
    documents(renewed, "plans", "load", str(path))
    document = documents(renewed, "audit", *MAY, "--plan", "basic")
    told = [(each["reason"], each["flaw"]) for each in document["cycles"]]
    assert told == [("rules_corrected", None), ("suspended", None)]
    assert documents(renewed, "verify")["ok"] is True


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("entries", ("member_id", "seq")),
        ("members", ("member_id",)),
        ("lots", ("member_id", "number")),
    ],
)
def test_what_is_exported_is_what_is_on_record(
    renewed: str, conn: Database, what: str, key: tuple[str, ...]
) -> None:
    """Both forms hold the same rows, all of them, in the order of their keys."""
    table = {"entries": "ledger_entry", "members": "member", "lots": "lot"}[what]
    rows = conn.execute(f"SELECT * FROM renewer.{table} ORDER BY {', '.join(key)}")
    stored = [[str(row[name]) for name in key] for row in rows]
    lines = command(renewed, "export", what).stdout.splitlines()
    documents = [json.loads(line) for line in lines]
    assert [[str(each[name]) for name in key] for each in documents] == stored
    text = command(renewed, "export", what, "--format", "csv").stdout
    sheet = list(csv.DictReader(io.StringIO(text)))
    assert [[row[name] for name in key] for row in sheet] == stored
    assert list(sheet[0]) == list(documents[0])
    later = command(renewed, "export", what, "--since", "2100-01-01")
    assert (later.returncode, later.stdout) == (0, "")


def test_a_name_with_odd_characters_survives_an_export(
    database: str, conn: Database
) -> None:
    """Quotes, backslashes and letters of any script come out as they went in."""
    load_plans(conn)
    odd = 'a"b\\c,d é✓'
    quoted = '"' + odd.replace('"', '""') + '"'
    bring_in(conn, [f"{quoted},basic,2016-04-19,UTC,active,2"], "2016-05-01")
    line = command(database, "export", "members").stdout
    assert json.loads(line)["member_id"] == odd


def test_members_are_listed_in_pages(renewed: str) -> None:
    """By plan, by status, so many, and on behind the last one."""

    def listed(*arguments: str) -> tuple[list[str], bool]:
        document = documents(renewed, "members", *arguments)
        return [each["member_id"] for each in document["members"]], document["more"]

    assert listed() == (["ana", "ben", "cai", "eve"], False)
    assert listed("--limit", "2") == (["ana", "ben"], True)
    assert listed("--limit", "2", "--after", "ben") == (["cai", "eve"], False)
    assert listed("--plan", "plus") == (["ben", "eve"], False)
    assert listed("--status", "suspended") == (["cai"], False)
    shown = command(renewed, "members", "--limit", "1").stdout
    assert "renewer members --after ana" in shown
