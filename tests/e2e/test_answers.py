"""The questions members ask, each answered by pasting the one sentence of `renewer explain`."""

from datetime import date
from typing import Any

import pytest

from renewer import store
from renewer.jobs import plan_files as plans
from renewer.rules.ledger import CatchUp
from renewer.rules.plans import Revision
from tests.support import EPOCH, ROOT, bring_in, command, documents, load_plans, renew, utc

APRIL_19 = (
    "your cycles start on the 19th of each month, not on the 1st, because your membership started on 19 April 2016"
)


def call(conn: store.Database, function: str, *arguments: Any, at: str) -> None:
    """Call one of the marketplace's functions."""
    named = ", ".join(["%s"] * len(arguments))
    conn.execute(f"SELECT renewer.{function}({named}, at => %s)", [*arguments, utc(at)])


def ask(conninfo: str, as_of: str, member_id: str = "ana") -> tuple[str, str]:
    """Return status code and sentence of the real command."""
    document = documents(conninfo, "explain", member_id, "--as-of", as_of)
    return document["status_code"], document["sentence"]


@pytest.fixture
def ana(conn: store.Database) -> str:
    """The member of the thread this project starts from: Basic, 2 left, a cycle of May."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    return "ana"


def test_1_2_and_3_more_than_a_month_and_no_refill(database: str, ana: str) -> None:
    """Not due; the dates of the cycle, the day of the award and why it is not the 1st; what expires and what comes."""
    assert ask(database, "2016-05-16") == (
        "not_due",
        "Nothing is wrong: your billing cycle runs from 19 April to 18 May 2016; your next 60 Connects are awarded the "
        f"day after it ends, on 19 May 2016 at 00:00 UTC; {APRIL_19}; the 2 you have unused expire on 19 May 2016 "
        "because plan basic carries nothing over; you can use them up to and including 18 May 2016; if you use none "
        "before, your balance then becomes 60.",
    )


def test_4_the_cycle_is_of_today_and_nothing_came(database: str, conn: store.Database) -> None:
    """It is the last day of the old cycle; the award comes tomorrow, in the member's own zone."""
    load_plans(conn)
    bring_in(conn, ["finn,basic,2018-11-05,Europe/Berlin,active,12"], "2018-12-01")
    code, sentence = ask(database, "2018-12-04T22:59", "finn")
    assert code == "last_day"
    assert sentence.startswith(
        "Today, 4 December 2018, is the last day of your billing cycle (5 November to 4 December 2018); nothing is "
        "wrong: your next 60 Connects are awarded tomorrow, on 5 December 2018 at 00:00 (Europe/Berlin time);"
    )
    assert ask(database, "2018-12-04T23:00", "finn")[0] == "waiting_for_pass"


def test_5_will_they_roll_over_if_i_go_to_basic(database: str, conn: store.Database) -> None:
    """Kept to the last day, then they expire; said before a pass has applied the request, and after."""
    load_plans(conn)
    bring_in(conn, ["ana,plus,2016-04-19,,,90"], "2016-05-14")
    call(conn, "change_plan", "ana", "basic", "next_cycle", "r", at="2016-05-15")
    code, sentence = ask(database, "2016-05-16")
    assert code == "not_due"
    assert (
        "; you move from plan plus to plan basic on 19 May 2016, which brings 60 instead of 70 a month; the 90 you "
        "have unused expire on 19 May 2016 because plan basic carries nothing over; you can use them up to and "
        "including 18 May 2016; if you use none before, your balance then becomes 60."
    ) in sentence
    renew(database, "2016-05-16")
    assert ask(database, "2016-05-16") == (code, sentence)


def test_6_only_60_of_100_carried_over(database: str, conn: store.Database) -> None:
    """The cap, with the numbers."""
    load_plans(conn, "elance-2013")
    bring_in(conn, ["ana,individual,2013-04-19,,,100"], "2013-05-14")
    renew(database, "2013-05-19")
    for as_of, code in (("2013-05-19T10:00", "renewed"), ("2013-05-27", "not_due")):
        found, sentence = ask(database, as_of)
        assert found == code
        assert sentence.endswith(
            "; when your cycle began on 19 May 2013, 60 of your 100 unused Connects rolled over, the most plan "
            "individual carried over, and 40 expired."
        )


def test_7_a_full_report_of_every_month(database: str, conn: store.Database) -> None:
    """Every cycle with what was due, what was awarded, and the reason of each gap; the sentence sums it up."""
    plans.record_plans(conn, [Revision("ten", EPOCH, 0, None), Revision("ten", date(2016, 7, 1), 10, None)])
    bring_in(conn, ["ana,ten,2016-04-19"], "2016-05-14")
    renew(database, "2016-10-20", catch_up=CatchUp.LATEST)
    call(conn, "set_status", "ana", "suspended", "s", at="2016-11-01")
    call(conn, "set_status", "ana", "active", "a", at="2016-12-01")
    renew(database, "2017-01-20")
    document = documents(database, "explain", "ana", "--as-of", "2017-01-25")
    assert document["sentence"].endswith(
        "; of the 9 renewals since 19 May 2016, 3 were awarded in full; those of 19 May 2016 and 19 June 2016 were 0, "
        "because the plan included none then; those of 19 July 2016, 19 August 2016 and 19 September 2016 were 0 "
        "instead of 10, because they were missed and not made up for; that of 19 November 2016 was 0 instead of 10, "
        "because your account was suspended then."
    )
    assert [
        (cycle["first_day"], cycle["last_day"], cycle["expected"], cycle["awarded"], cycle["reason"])
        for cycle in document["past_cycles"]
    ] == [
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


def test_8_a_bonus_twice(database: str, conn: store.Database, ana: str) -> None:
    """One reference is credited once; two are two entries, in the sentence and in the statement."""
    for reference in ("promo-1", "promo-1"):
        call(conn, "grant_bonus", "ana", 30, reference, at="2016-05-14")
    assert ask(database, "2016-05-16")[1].endswith("; a bonus of 30 on 14 May 2016 (promo-1) was credited, once.")
    call(conn, "grant_bonus", "ana", 30, "promo-2", at="2016-05-15")
    assert ask(database, "2016-05-16")[1].endswith(
        "; bonuses of 30 on 14 May 2016 (promo-1) and 30 on 15 May 2016 (promo-2) are separate credits, each with a "
        "reference of its own, and one reference is never credited twice."
    )
    lines = documents(database, "history", "ana")["lines"]
    assert [(line["what"], line["amount"], line["reference"]) for line in lines[1:]] == [
        ("Bonus Connects", 30, "promo-1"),
        ("Bonus Connects", 30, "promo-2"),
    ]


@pytest.mark.parametrize(
    ("plan", "ends"),
    [("basic", "expire"), ("plus", "roll over")],
)
def test_9_which_cycle_do_returned_ones_belong_to(database: str, conn: store.Database, plan: str, ends: str) -> None:
    """The current one, and when they end."""
    load_plans(conn)
    bring_in(conn, [f"ana,{plan},2016-04-19,,,5"], "2016-05-14")
    call(conn, "spend", "ana", 4, "job", at="2016-05-15")
    renew(database, "2016-05-20")
    call(conn, "refund", "ana", "job", "back", at="2016-05-25")
    sentence = ask(database, "2016-05-26")[1]
    assert (
        f"; the 4 Connects returned by 25 May 2016 belong to the current cycle and, as far as they are unused, {ends} "
        "when the next one begins, on 19 June 2016."
    ) in sentence


def test_10_when_do_my_connects_expire(database: str, conn: store.Database, ana: str) -> None:
    """Each lot with its own date, in the sentence and in the facts."""
    conn.execute("SELECT renewer.purchase('ana', 40, 'i1', %s, %s)", [utc("2016-07-15T12:00"), utc("2016-05-14")])
    call(conn, "purchase", "ana", 25, "i2", at="2016-05-14")
    document = documents(database, "explain", "ana", "--as-of", "2016-05-16")
    assert "; the 2 you have unused expire on 19 May 2016 because" in document["sentence"]
    assert document["sentence"].endswith(
        "; of the 67 Connects you have, 40 expire on 15 July 2016 at 12:00 UTC and 25 that you bought or were given "
        "never expire."
    )
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


def test_10_with_a_lot_for_every_month(database: str, conn: store.Database) -> None:
    """All of them, the hour said once."""
    load_plans(conn, "upwork-2025")
    bring_in(conn, ["ana,basic,2025-03-01,Europe/Berlin,,4"], "2025-03-10")
    renew(database, "2025-07-05")
    assert (
        "; of the 44 Connects you have, 4 expire on 1 March 2026, 10 expire on 1 April 2026, 10 expire on 1 May "
        "2026, 10 "
        "expire on 1 June 2026 and 10 expire on 1 July 2026, each at 00:00 (Europe/Berlin time);"
    ) in ask(database, "2025-07-20")[1]


def test_11_the_new_rule_promised_10(database: str, conn: store.Database) -> None:
    """Rules reach a member at the start of their next cycle; that date."""
    plans.record_plans(conn, [Revision("ten", EPOCH, 0, 140), Revision("ten", date(2016, 8, 1), 10, 200)])
    bring_in(conn, ["ana,ten,2016-04-19"], "2016-07-25")
    assert ask(database, "2016-08-03")[1].endswith(
        "; the new rules of plan ten of 1 August 2016 (10 Connects a month instead of 0 and rollover of up to 200 "
        "instead of rollover of up to 140) reach you with your cycle that starts on 19 August 2016, for rules never "
        "change in the middle of a cycle."
    )


def test_12_a_worker_that_is_late(database: str, ana: str) -> None:
    """The cycle has ended and nothing is posted yet: since when, and that nothing is lost."""
    assert ask(database, "2016-05-19T06:30") == (
        "waiting_for_pass",
        "Your billing cycle ended on 18 May 2016, but your 60 Connects, due since 19 May 2016 at 00:00 UTC, 6 hours "
        "ago, are not posted yet; our renewal job is late; nothing is lost, and its next run posts what is due, with "
        "its own date; your balance of 2 then becomes 60, for 60 are awarded and 2 unused expire; "
        f"{APRIL_19}.",
    )
    assert (
        "3 renewals, the oldest due since 19 May 2016 at 00:00 UTC, 62 days ago, are not posted yet, 180 Connects in"
        in ask(database, "2016-07-20")[1]
    )


def test_the_text_begins_with_the_sentence_in_one_line(database: str, ana: str) -> None:
    """So that it is pasted whole; the facts after it fit 80 columns."""
    first, *facts = command(database, "explain", "ana", "--as-of", "2016-05-16").stdout.splitlines()
    assert first == ask(database, "2016-05-16")[1]
    assert max(map(len, facts)) <= 80
    assert "awards at   2016-05-19 00:00 UTC" in facts[3]


def test_the_readme_shows_what_explain_prints(database: str, ana: str) -> None:
    """The sentence as a quotation, the facts as they are."""
    first, *facts = command(database, "explain", ana, "--as-of", "2016-05-16").stdout.splitlines()
    readme = (ROOT / "README.md").read_text()
    assert first in " ".join(line.removeprefix("> ") for line in readme.splitlines())
    assert "```\n" + "\n".join(line.rstrip() for line in facts) + "\n```" in readme
