"""Whatever a member went through, what is told is what is posted, in few words."""

import random
import re
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from renewer.answers.explanation import Explanation, find_explanation
from renewer.answers.headline import headline
from renewer.answers.notes import NoteDocument, notes
from renewer.jobs import plan_files
from renewer.rules.ledger import CatchUp, Kind
from renewer.rules.plans import Revision
from renewer.rules.posting import Boundary
from renewer.store.connection import Database
from renewer.store.history import find_entries
from renewer.store.members import find_members
from tests.support import EPOCH, bring_in, renew, utc, violations

REVISIONS = [
    Revision("zero", EPOCH, 0, 140, 12),
    Revision("basic", EPOCH, 60, 0),
    Revision("plus", EPOCH, 70, 140),
    Revision("short", EPOCH, 10, None, 1),
    Revision("rich", EPOCH, 100, None, 12),
    Revision("changing", EPOCH, 40, 60, 2),
    Revision("changing", date(2016, 6, 3), 55, 30, 3),
]
CODES = sorted({revision.code for revision in REVISIONS})
ZONES = [
    "UTC",
    "Asia/Tokyo",
    "America/Sao_Paulo",
    "America/New_York",
    "Pacific/Kiritimati",
    "Europe/London",
]
STATUSES = ["active", "suspended", "under_review", "closed"]
NOW, LATER = "2016-06-20T12:00", "2016-07-25T12:00"
SLIPS = re.compile(r"None|  |\b1 Connects|;|the the|0 time|, ,|\.\.|\b0 expire")
OURS = re.compile(
    r"\b(pass|passes|boundary|boundaries|posted|posting|parked|lots?|jobs?|runs?|ledger)\b",
    re.IGNORECASE,
)
"""Words of our own workings: a member never reads them."""
SENTENCE_ENDS = re.compile(r"[.!?](?=\s|$)")


def unfit(facts: Explanation) -> list[str]:
    """Return the texts of an explanation that are too long, or not in plain words."""
    spoken, told = headline(facts), notes(facts)
    found = [] if is_short(spoken, words=40, sentences=3) else [spoken]
    found += [
        note.text for note in told if not is_short(note.text, words=30, sentences=1)
    ]
    texts = [spoken, *(note.text for note in told)]
    return found + [text for text in texts if SLIPS.search(text) or OURS.search(text)]


def wrong_sums(facts: Explanation) -> list[NoteDocument]:
    """Return the notes whose figures do not add up."""
    return [note for note in notes(facts) if not adds_up(note, facts.member.balance)]


def adds_up(note: NoteDocument, balance: int) -> bool:
    """Whether the parts that a note names make its whole, and none is below zero."""
    values = note.values
    if note.code == "balance_after":
        parts = [values["kept"], values["other"], values["new"]]
        return sum(parts) == values["then"] and min(parts) >= 0
    if note.code == "balance_then":
        then = balance + values["awarded"] - values["expired"]
        return (values["balance"], values["then"]) == (balance, then)
    if note.code == "expiry_dates":
        parts = [each["amount"] for each in values["dates"]]
        return sum(parts) == values["total"] <= balance and min(parts) > 0
    if note.code in ("cap", "unused_expire"):
        return values.get("kept", 0) + values["lost"] <= balance
    return True


def is_short(text: str, *, words: int, sentences: int) -> bool:
    """Whether *text* ends with a sentence and has no more than so many."""
    ends = len(SENTENCE_ENDS.findall(text))
    return len(text.split()) <= words and 1 <= ends <= sentences and text[-1] == "."


def line(chance: random.Random, member_id: str) -> str:
    """Return a member to import."""
    plan, zone = chance.choice(CODES), chance.choice(ZONES)
    anchor_on = f"2016-0{chance.randint(1, 4)}-{chance.randint(1, 29):02}"
    status = chance.choice(["active", "active", "active", "suspended", "under_review"])
    balance = chance.choice(["", 7, 90, 250])
    return f"{member_id},{plan},{anchor_on},{zone},{status},{balance}"


def live(conn: Database, chance: random.Random, member_id: str) -> None:
    """Let the marketplace call for a member now and then; some calls are refused."""
    at = utc("2016-05-05T13:00")
    for number in range(chance.randint(0, 5)):
        at += timedelta(hours=chance.randint(1, 200))
        expires_at = chance.choice([None, at + timedelta(days=chance.randint(1, 40))])
        name, arguments = chance.choice(
            [
                ("spend", [chance.randint(1, 30)]),
                ("refund", [f"r{number - 1}"]),
                ("set_timezone", [chance.choice(ZONES)]),
                ("change_plan", [chance.choice(CODES), "next_cycle"]),
                ("change_plan", [chance.choice(CODES), "now"]),
                ("set_status", [chance.choice(STATUSES)]),
                ("purchase", [9]),
                ("grant_bonus", [5]),
            ]
        )
        named: dict[str, Any] = {"reference": f"r{number}", "at": at}
        if name in ("purchase", "grant_bonus"):
            named["expires_at"] = expires_at
        text = ", ".join(
            ["%s"] * (len(arguments) + 1) + [f"{each} => %s" for each in named]
        )
        with suppress(psycopg.Error):
            conn.execute(
                f"SELECT renewer.{name}({text})",
                [member_id, *arguments, *named.values()],
            )


def explain(conn: Database, member_id: str, as_of: str) -> Explanation:
    facts = find_explanation(conn, member_id, utc(as_of), CatchUp.EACH)
    assert facts is not None
    assert unfit(facts) == []
    assert wrong_sums(facts) == []
    return facts


def posted(conn: Database, facts: Explanation) -> list[dict[str, Any]]:
    """Return a member's renewals since *facts*, each with what expired up to it."""
    renewals, expired = [], 0
    for entry in find_entries(conn, facts.member.member_id):
        if entry["seq"] > facts.member.last_seq:
            expired -= entry["amount"] if entry["kind"] == Kind.EXPIRY else 0
            if entry["kind"] == Kind.RENEWAL:
                renewals.append(entry | {"expired": expired})
                expired = 0
    return renewals


def figures(foreseen: Boundary) -> tuple[Any, ...]:
    return (
        foreseen.awards_at,
        foreseen.first_day,
        foreseen.allowance,
        foreseen.expiring,
        foreseen.balance_after,
    )


def recorded(entry: dict[str, Any]) -> tuple[Any, ...]:
    return (
        entry["occurred_at"],
        entry["first_day"],
        entry["amount"],
        entry["expired"],
        entry["balance_after"],
    )


@pytest.mark.timeout(600)
def test_what_is_told_is_what_is_posted(
    database: str, conn: Database, request: pytest.FixtureRequest
) -> None:
    """What waits is what the next pass posts, what is ahead what the one after does."""
    chance = random.Random(20160519)
    names = [
        f"m{number}"
        for number in range(600 if request.config.getoption("--long") else 80)
    ]
    plan_files.record_plans(conn, REVISIONS)
    bring_in(conn, [line(chance, name) for name in names], "2016-05-05T12:00")
    for name in names:
        live(conn, chance, name)
    first = {name: explain(conn, name, NOW) for name in names}
    renew(database, NOW)
    for name, facts in first.items():
        assert [recorded(entry) for entry in posted(conn, facts)] == [
            figures(each) for each in facts.waiting
        ], name
        (held,) = find_members(conn, [name])
        assert (held.balance, held.status, held.plan) == (
            facts.settled.balance,
            facts.settled.status,
            facts.settled.plan,
        )
    second = {name: explain(conn, name, NOW) for name in names}
    renew(database, LATER)
    for name, facts in second.items():
        assert facts.waiting == ()
        renewals = posted(conn, facts)
        if facts.ahead is None or facts.status == "under_review":
            assert renewals == [], name
        else:
            assert recorded(renewals[0]) == figures(facts.ahead), name
    assert violations(conn) == []


ZONE = "America/Argentina/ComodRivadavia"
LONG = "p" * 64
CALLS = [
    ("grant_bonus", [1_000_000_000, "r0", utc("2016-11-25T12:34")]),
    ("purchase", [1_000_000, "r1", utc("2016-11-25T12:34")]),
    ("spend", [3, "r2"]),
    ("refund", ["r2", "r3"]),
    ("change_plan", ["q" * 64, "next_cycle", "r4"]),
    ("set_timezone", ["Pacific/Kiritimati", "r5"]),
]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("since", ["2016-05-28T05:00", "2016-06-02T05:00"])
@pytest.mark.parametrize("as_of", ["2016-05-31", "2016-06-03", "2016-09-30"])
@pytest.mark.parametrize("applied", [0, 3])
def test_the_longest_names_and_numbers_fit(
    database: str,
    conn: Database,
    status: str,
    since: str,
    as_of: str,
    applied: int,
) -> None:
    """Whatever happens before or after a boundary, and whatever of it still waits."""
    plan_files.record_plans(
        conn,
        [
            Revision(LONG, EPOCH, 2_000_000, 1_000_000, 1),
            Revision(LONG, date(2016, 6, 1), 1_999_999, 999_999, 12),
            Revision("q" * 64, EPOCH, 1_000_001, 0, 12),
        ],
    )
    bring_in(conn, [f"m,{LONG},2015-12-31,{ZONE},,1900000"], "2016-05-05T13:00")
    begun = utc(since)
    calls = [*CALLS, ("set_status", [status, "r6"])]
    for number, (name, arguments) in enumerate(calls):
        at = begun - timedelta(days=len(CALLS) - number)
        places = ", ".join(["%s"] * (len(arguments) + 1))
        statement = f"SELECT renewer.{name}({places}, at => %s)"
        conn.execute(statement, ["m", *arguments, at])
        if number < applied:
            renew(database, at.strftime("%Y-%m-%dT%H:%M"))
    explain(conn, "m", as_of)
    renew(database, as_of)
    explain(conn, "m", as_of)


@pytest.mark.parametrize("column", ["plan", "timezone"])
@pytest.mark.parametrize("status", STATUSES)
def test_what_cannot_be_resolved_fits(
    database: str, conn: Database, column: str, status: str
) -> None:
    """An unknown plan or zone of 64 characters, before and after it failed a pass."""
    plan_files.record_plans(conn, REVISIONS)
    bring_in(conn, [f"m,basic,2015-12-31,{ZONE},,7"], "2016-05-05T13:00")
    conn.execute(f"UPDATE renewer.member SET {column} = %s", ["x" * 64])
    conn.execute(
        "SELECT renewer.set_status('m', %s, 's', %s)", [status, utc("2016-05-28")]
    )
    for as_of in ("2016-05-29T03:30", "2016-09-30"):
        explain(conn, "m", as_of)
        renew(database, as_of)
        explain(conn, "m", as_of)
