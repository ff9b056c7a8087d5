"""Whatever a member went through, what is told of them is what the next passes post."""

import random
import re
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from renewer import store
from renewer.answers.explanation import Explanation, find_explanation
from renewer.answers.sentence import sentence
from renewer.jobs import plan_files as plans
from renewer.rules.ledger import CatchUp, Kind
from renewer.rules.plans import Revision
from renewer.rules.posting import Boundary
from tests.support import EPOCH, bring_in, renew, utc, violations

REVISIONS = [
    Revision("none", EPOCH, 0, 140, 12),
    Revision("basic", EPOCH, 60, 0),
    Revision("plus", EPOCH, 70, 140),
    Revision("short", EPOCH, 10, None, 1),
    Revision("rich", EPOCH, 100, None, 12),
    Revision("changing", EPOCH, 40, 60, 2),
    Revision("changing", date(2016, 6, 3), 55, 30, 3),
]
CODES = sorted({revision.code for revision in REVISIONS})
ZONES = ["UTC", "Asia/Tokyo", "America/Sao_Paulo", "America/New_York", "Pacific/Kiritimati", "Europe/London"]
STATUSES = ["active", "suspended", "under_review", "closed"]
NOW, LATER = "2016-06-20T12:00", "2016-07-25T12:00"
SLIPS = re.compile(r"None|  |all 1 |\b1 Connects|;;| ;|\.;|, ;|the the|0 time")


def live(conn: store.Database, chance: random.Random, member_id: str) -> None:
    """Let the marketplace call for a member now and then; a call that is refused is none."""
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
        text = ", ".join(["%s"] * (len(arguments) + 1) + [f"{each} => %s" for each in named])
        with suppress(psycopg.Error):
            conn.execute(f"SELECT renewer.{name}({text})", [member_id, *arguments, *named.values()])


def explain(conn: store.Database, member_id: str, as_of: str) -> Explanation:
    told = find_explanation(conn, member_id, utc(as_of), CatchUp.EACH)
    assert told is not None
    assert not SLIPS.search(sentence(told)), sentence(told)
    return told


def posted(conn: store.Database, told: Explanation) -> list[dict[str, Any]]:
    """Return the renewals a member got since they were told, each with what expired up to it."""
    renewals, expired = [], 0
    for entry in store.find_entries(conn, told.member.member_id):
        if entry["seq"] > told.member.last_seq:
            expired -= entry["amount"] if entry["kind"] == Kind.EXPIRY else 0
            if entry["kind"] == Kind.RENEWAL:
                renewals.append(entry | {"expired": expired})
                expired = 0
    return renewals


def figures(foreseen: Boundary) -> tuple[Any, ...]:
    return foreseen.awards_at, foreseen.first_day, foreseen.allowance, foreseen.expiring, foreseen.balance_after


def recorded(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["occurred_at"], entry["first_day"], entry["amount"], entry["expired"], entry["balance_after"]


@pytest.mark.timeout(600)
def test_what_is_told_is_what_is_posted(database: str, conn: store.Database, request: pytest.FixtureRequest) -> None:
    """What waits is what the next pass posts, in every status; what comes after, what the pass after that posts."""
    chance = random.Random(20160519)
    names = [f"m{number}" for number in range(600 if request.config.getoption("--long") else 80)]
    plans.record_plans(conn, REVISIONS)
    started = ["active", "active", "active", "suspended", "under_review"]
    bring_in(
        conn,
        [
            f"{name},{chance.choice(CODES)},2016-0{chance.randint(1, 4)}-{chance.randint(1, 29):02},"
            f"{chance.choice(ZONES)},{chance.choice(started)},{chance.choice(['', 7, 90, 250])}"
            for name in names
        ],
        "2016-05-05T12:00",
    )
    for name in names:
        live(conn, chance, name)
    first = {name: explain(conn, name, NOW) for name in names}
    renew(database, NOW)
    for name, told in first.items():
        assert [recorded(entry) for entry in posted(conn, told)] == [figures(each) for each in told.waiting], name
        (held,) = store.find_members(conn, [name])
        assert (held.balance, held.status, held.plan) == (told.settled.balance, told.settled.status, told.settled.plan)
    second = {name: explain(conn, name, NOW) for name in names}
    renew(database, LATER)
    for name, told in second.items():
        assert told.waiting == ()
        renewals = posted(conn, told)
        if told.ahead is None or told.status == "under_review":
            assert renewals == [], name
        else:
            assert recorded(renewals[0]) == figures(told.ahead), name
    assert violations(conn) == []
