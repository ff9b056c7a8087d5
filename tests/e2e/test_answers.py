"""
The questions members ask, answered by the real command.

The headline answers whether anything is wrong, when the next Connects come and how
many. Each other question is answered by one note, which its test names by its code.
"""

import re
from datetime import date
from typing import Any

import pytest

from renewer.answers.notes import NOTES
from renewer.jobs import plan_files
from renewer.rules.ledger import CatchUp
from renewer.rules.plans import Revision
from renewer.store.connection import Database
from tests.support import (
    EPOCH,
    ROOT,
    Marketplace,
    bring_in,
    command,
    documents,
    load_plans,
    renew,
    utc,
)

pytestmark = pytest.mark.gate

Note = dict[str, Any]


def ask(conninfo: str, as_of: str, member_id: str = "ana") -> tuple[str, str]:
    """Return status code and headline of the real command."""
    document = documents(conninfo, "explain", member_id, "--as-of", as_of)
    return document["status_code"], document["headline"]


def find_notes(conninfo: str, as_of: str, code: str) -> list[Note]:
    """Return text and values of the notes of one code about ana."""
    document = documents(conninfo, "explain", "ana", "--as-of", as_of)
    found = [note for note in document["notes"] if note["code"] == code]
    return [{"text": note["text"], "values": note["values"]} for note in found]


@pytest.fixture
def ana(conn: Database) -> str:
    """The member of the README's first example: Basic, 2 left, a cycle in May."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    return "ana"


def test_1_more_than_a_month_and_no_refill(database: str, ana: str) -> None:
    """The headline: nothing is wrong, the day and the number of the next ones."""
    assert ask(database, "2016-05-16") == (
        "not_due",
        "Nothing is wrong. Your billing cycle ends on 18 May 2016. You get your next "
        "60 Connects on 19 May 2016.",
    )


def test_2_how_do_i_know_the_date(database: str, ana: str) -> None:
    """Note `cycle`: its two days, and when the next one starts, with the zone."""
    assert find_notes(database, "2016-05-16", "cycle") == [
        {
            "text": "Your current billing cycle is 19 April to 18 May 2016, and the "
            "next one starts on 19 May 2016 at 00:00 UTC.",
            "values": {
                "first_day": "2016-04-19",
                "last_day": "2016-05-18",
                "next_at": "2016-05-19T00:00:00+00:00",
            },
        }
    ]


def test_3_i_thought_it_was_the_1st(database: str, ana: str) -> None:
    """Note `start_day`: the day of the month, and why."""
    assert find_notes(database, "2016-05-16", "start_day") == [
        {
            "text": "Your cycles start on the 19th of each month, not on the 1st, "
            "because your membership started on 19 April 2016.",
            "values": {"day": 19, "anchor_on": "2016-04-19"},
        }
    ]


def test_4_the_cycle_is_of_today_and_nothing_came(
    database: str, conn: Database
) -> None:
    """The headline: the last day of the old cycle, in the member's own zone."""
    load_plans(conn)
    line = "finn,basic,2018-11-05,Europe/Berlin,active,12"
    bring_in(conn, [line], "2018-12-01")
    assert ask(database, "2018-12-04T22:59", "finn") == (
        "last_day",
        "Nothing is wrong. Today, 4 December 2018, is the last day of your billing "
        "cycle. You get your next 60 Connects tomorrow, on 5 December 2018.",
    )
    assert ask(database, "2018-12-04T23:00", "finn") == (
        "waiting_for_pass",
        "Nothing is wrong: your new billing cycle began on 5 December 2018. You get 60 "
        "Connects soon and lose nothing. You then have 60.",
    )


def test_5_will_they_roll_over_if_i_go_to_basic(database: str, conn: Database) -> None:
    """Note `unused_expire`: usable to the last day; so before and after a pass."""
    load_plans(conn)
    bring_in(conn, ["ana,plus,2016-04-19,,,90"], "2016-05-14")
    Marketplace(conn).call(
        "change_plan", "ana", "basic", "next_cycle", "r", at="2016-05-15"
    )
    document = documents(database, "explain", "ana", "--as-of", "2016-05-16")
    assert find_notes(database, "2016-05-16", "unused_expire") == [
        {
            "text": "Use your 90 unused monthly Connects by the end of 18 May 2016, "
            "because plan Basic keeps none for the next cycle.",
            "values": {
                "lost": 90,
                "at": "2016-05-19T00:00:00+00:00",
                "plan": "basic",
            },
        }
    ]
    codes = [note["code"] for note in document["notes"]]
    assert codes[:2] == ["unused_expire", "plan_change"]
    renew(database, "2016-05-16")
    assert documents(database, "explain", "ana", "--as-of", "2016-05-16") == document


def test_6_only_60_of_100_carried_over(database: str, conn: Database) -> None:
    """Note `cut`: the cap, with the numbers; note `cap` had said so before."""
    load_plans(conn, "elance-2013")
    bring_in(conn, ["ana,individual,2013-04-19,,,100"], "2013-05-14")
    assert [note["text"] for note in find_notes(database, "2013-05-16", "cap")] == [
        "Of your 100 unused monthly Connects you keep 60, the most that plan "
        "Individual allows, and 40 expire on 19 May 2013."
    ]
    renew(database, "2013-05-19")
    for as_of in ("2013-05-19T10:00", "2013-05-27"):
        assert find_notes(database, as_of, "cut") == [
            {
                "text": "On 19 May 2013 you kept 60 of your 100 unused monthly "
                "Connects, the most that plan Individual allowed, and 40 expired.",
                "values": {
                    "on": "2013-05-19",
                    "kept": 60,
                    "lost": 40,
                    "plan": "individual",
                },
            }
        ]


def test_7_a_full_report_of_every_month(database: str, conn: Database) -> None:
    """Notes `gap`: which cycles brought too little and why; each is in the facts."""
    rules = [
        Revision("ten", EPOCH, 0, None),
        Revision("ten", date(2016, 7, 1), 10, None),
    ]
    plan_files.record_plans(conn, rules)
    bring_in(conn, ["ana,ten,2016-04-19"], "2016-05-14")
    renew(database, "2016-10-20", catch_up=CatchUp.LATEST)
    Marketplace(conn).call("set_status", "ana", "suspended", "s", at="2016-11-01")
    Marketplace(conn).call("set_status", "ana", "active", "a", at="2016-12-01")
    renew(database, "2017-01-20")
    gaps = find_notes(database, "2017-01-25", "gap")
    assert [gap["text"] for gap in gaps] == [
        "You got no Connects for your cycles of 19 May 2016 and 19 June 2016, "
        "because the plan included none.",
        "You got 0 of 10 Connects each for 3 cycles from 19 July 2016 to 19 September "
        "2016, because they were missed and not made up for.",
        "You got 0 of 10 Connects for your cycle of 19 November 2016, because your "
        "account was suspended then.",
    ]
    assert gaps[1]["values"] == {
        "first_days": ["2016-07-19", "2016-08-19", "2016-09-19"],
        "expected": 10,
        "awarded": 0,
        "reason": "caught_up",
    }
    (past,) = find_notes(database, "2017-01-25", "past")
    assert past["text"] == (
        "You got all your monthly Connects for 3 of 9 cycles since 19 May 2016."
    )
    document = documents(database, "explain", "ana", "--as-of", "2017-01-25")
    assert [tuple(cycle.values()) for cycle in document["past_cycles"]] == [
        ("2016-05-19", "2016-06-18", 0, 0, "no_allowance"),
        ("2016-06-19", "2016-07-18", 0, 0, "no_allowance"),
        ("2016-07-19", "2016-08-18", 10, 0, "caught_up"),
        ("2016-08-19", "2016-09-18", 10, 0, "caught_up"),
        ("2016-09-19", "2016-10-18", 10, 0, "caught_up"),
        ("2016-10-19", "2016-11-18", 10, 10, None),
        ("2016-11-19", "2016-12-18", 10, 0, "suspended"),
        ("2016-12-19", "2017-01-18", 10, 10, None),
        ("2017-01-19", "2017-02-18", 10, 10, None),
    ]


def test_8_a_bonus_twice(database: str, conn: Database, ana: str) -> None:
    """Note `bonus`: once for one reference; note `equal_bonuses`: a person looks."""
    for reference in ("promo-1", "promo-1"):
        Marketplace(conn).call("grant_bonus", "ana", 30, reference, at="2016-05-14")
    first = {
        "amount": 30,
        "at": "2016-05-14T00:00:00+00:00",
        "reference": "promo-1",
    }
    assert find_notes(database, "2016-05-16", "equal_bonuses") == []
    assert find_notes(database, "2016-05-16", "bonus") == [
        {
            "text": "You got a bonus of 30 Connects on 14 May 2016, once.",
            "values": {"total": 30, "bonuses": [first]},
        }
    ]
    Marketplace(conn).call("grant_bonus", "ana", 30, "promo-2", at="2016-05-15")
    assert find_notes(database, "2016-05-16", "bonus") == []
    second = {
        "amount": 30,
        "at": "2016-05-15T00:00:00+00:00",
        "reference": "promo-2",
    }
    assert find_notes(database, "2016-05-16", "equal_bonuses") == [
        {
            "text": "You got a bonus of 30 Connects twice, on 14 May 2016 and 15 May "
            "2016: please ask a person of our team to check this.",
            "values": {"total": 60, "bonuses": [first, second]},
        }
    ]
    Marketplace(conn).call("grant_bonus", "ana", 5, "promo-3", at="2016-05-15")
    (bonus,) = find_notes(database, "2016-05-16", "bonus")
    assert bonus["values"]["total"] == 5
    lines = documents(database, "history", "ana")["lines"]
    assert [
        (line["what"], line["amount"], line["reference"]) for line in lines[1:]
    ] == [
        ("Bonus Connects", 30, "promo-1"),
        ("Bonus Connects", 30, "promo-2"),
        ("Bonus Connects", 5, "promo-3"),
    ]


@pytest.mark.parametrize(
    ("plan", "ends"),
    [("basic", "expire, if unused,"), ("plus", "stay")],
)
def test_9_which_cycle_do_returned_ones_belong_to(
    database: str, conn: Database, plan: str, ends: str
) -> None:
    """Note `returned`: the current one, and what its end does to them."""
    load_plans(conn)
    bring_in(conn, [f"ana,{plan},2016-04-19,,,5"], "2016-05-14")
    Marketplace(conn).call("spend", "ana", 4, "job", at="2016-05-15")
    renew(database, "2016-05-20")
    Marketplace(conn).call("refund", "ana", "job", "back", at="2016-05-25")
    assert find_notes(database, "2016-05-26", "returned") == [
        {
            "text": "The 4 Connects returned by 25 May 2016 belong to your current "
            f"cycle and {ends} when the next one begins on 19 June 2016.",
            "values": {
                "amount": 4,
                "returned_by": "2016-05-25T00:00:00+00:00",
                "at": "2016-06-19T00:00:00+00:00",
                "lost": 4 if plan == "basic" else 0,
            },
        }
    ]


def test_10_when_do_my_connects_expire(database: str, conn: Database, ana: str) -> None:
    """Note `expiry_dates`: how many on which day; each lot is in the facts."""
    buy = "SELECT renewer.purchase('ana', 40, 'i1', %s, %s)"
    conn.execute(buy, [utc("2016-07-15T12:00"), utc("2016-05-14")])
    Marketplace(conn).call("purchase", "ana", 25, "i2", at="2016-05-14")
    assert find_notes(database, "2016-05-16", "expiry_dates") == [
        {
            "text": "Of your 67 Connects, 2 expire on 19 May 2016 and 40 on 15 July "
            "2016 at 12:00 UTC.",
            "values": {
                "total": 42,
                "dates": [
                    {"at": "2016-05-19T00:00:00+00:00", "amount": 2},
                    {"at": "2016-07-15T12:00:00+00:00", "amount": 40},
                ],
            },
        }
    ]
    (never,) = find_notes(database, "2016-05-16", "never_expire")
    assert never == {
        "text": "Your 25 bought or bonus Connects never expire.",
        "values": {"amount": 25},
    }
    document = documents(database, "explain", "ana", "--as-of", "2016-05-16")
    assert document["lots"] == [
        {
            "source": source,
            "remaining": remaining,
            "issued_at": "2016-05-14T00:00:00+00:00",
            "expires_at": expires_at,
            "ends_with_cycle": source == "allowance",
        }
        for source, remaining, expires_at in (
            ("allowance", 2, None),
            ("purchase", 40, "2016-07-15T12:00:00+00:00"),
            ("purchase", 25, None),
        )
    ]


def test_10_with_a_lot_for_every_month(database: str, conn: Database) -> None:
    """The first and the last in words, all of them as values."""
    load_plans(conn, "upwork-2025")
    bring_in(conn, ["ana,basic,2025-03-01,Europe/Berlin,,4"], "2025-03-10")
    renew(database, "2025-07-05")
    (note,) = find_notes(database, "2025-07-20", "expiry_dates")
    assert note["text"] == (
        "44 of your Connects expire on 5 dates, the first 4 on 1 March 2026 and the "
        "last 10 on 1 July 2026."
    )
    assert [(each["at"], each["amount"]) for each in note["values"]["dates"]] == [
        ("2026-03-01T00:00:00+01:00", 4),
        ("2026-04-01T00:00:00+02:00", 10),
        ("2026-05-01T00:00:00+02:00", 10),
        ("2026-06-01T00:00:00+02:00", 10),
        ("2026-07-01T00:00:00+02:00", 10),
    ]


def test_11_the_new_rule_promised_10(database: str, conn: Database) -> None:
    """Note `new_allowance`: rules reach a member with a new cycle; its day."""
    rules = [Revision("ten", EPOCH, 0, 140), Revision("ten", date(2016, 8, 1), 10, 200)]
    plan_files.record_plans(conn, rules)
    bring_in(conn, ["ana,ten,2016-04-19"], "2016-07-25")
    assert find_notes(database, "2016-08-03", "new_allowance") == [
        {
            "text": "New rules wait for a new cycle: from 19 August 2016 you get 10 "
            "Connects a month instead of 0.",
            "values": {"on": "2016-08-19", "before": 0, "after": 10},
        }
    ]


def test_12_a_worker_that_is_late(database: str, ana: str) -> None:
    """The headline: since when, and that nothing is lost; not when some is."""
    assert ask(database, "2016-05-19T06:30") == (
        "waiting_for_pass",
        "Our system is late with your Connects of 19 May 2016. You get 60 Connects "
        "soon and lose nothing. You then have 60.",
    )
    assert find_notes(database, "2016-05-19T06:30", "late") == [
        {
            "text": "Your renewal has been due since 19 May 2016 at 00:00 UTC, which "
            "is 6 hours ago.",
            "values": {"since": "2016-05-19T00:00:00+00:00", "minutes": 390},
        }
    ]
    assert ask(database, "2016-07-20") == (
        "waiting_for_pass",
        "Our system is late with your Connects for 3 cycles since 19 May 2016. You get "
        "180 Connects soon. You then have 60, because others expire with their cycles.",
    )


def test_the_text_begins_with_the_headline_in_one_line(database: str, ana: str) -> None:
    """So that it is pasted whole; the notes are a list, and all fits 80 columns."""
    done = command(database, "explain", "ana", "--as-of", "2016-05-16")
    first, empty, *rest = done.stdout.splitlines()
    assert (first, empty) == (ask(database, "2016-05-16")[1], "")
    assert max(map(len, rest)) <= 80
    listed, facts = rest[: rest.index("")], rest[rest.index("") + 1 :]
    document = documents(database, "explain", "ana", "--as-of", "2016-05-16")
    texts = " ".join(f"- {note['text']}" for note in document["notes"])
    assert " ".join(" ".join(listed).split()) == texts
    assert "awards at   2016-05-19 00:00 UTC" in facts[3]


def test_the_readme_shows_what_explain_prints(database: str, ana: str) -> None:
    """To the letter."""
    done = command(database, "explain", ana, "--as-of", "2016-05-16")
    shown = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert f"```\n{shown}\n```" in (ROOT / "README.md").read_text()


def test_the_readme_has_the_code_of_every_note() -> None:
    """In the order in which they come; no other is documented."""
    readme = (ROOT / "README.md").read_text()
    table = readme.split("| code | says |", 1)[1].split("\n\n", 1)[0]
    documented = re.findall(r"`(\w+)`", table)
    assert list(NOTES) == documented
