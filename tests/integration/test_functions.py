"""
The SQL functions the marketplace calls: what they move, record, repeat and refuse.
"""

import sys
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from renewer.errors import InputError
from renewer.jobs import importing
from renewer.rules.plans import Revision
from renewer.store.connection import Database
from renewer.store.revisions import add_plan
from tests.support import (
    Marketplace,
    bring_in,
    counted,
    load_plans,
    refused,
    renew,
    utc,
    violations,
)

EPOCH = "2016-05-01T00:00"


MAY = {day: utc(f"2016-05-{day:02}T12:00") for day in range(1, 32)}


def test_a_spend_is_an_entry_and_its_repetition_is_none(market: Marketplace) -> None:
    """The stored row is answered again, whatever the time of the second call."""
    spent = market.call("spend", member_id="m", amount=15, reference="job-1", at=MAY[2])
    assert spent == (25, 2, 2, False)
    assert market.call(
        "spend", member_id="m", amount=15, reference="job-1", at=MAY[3]
    ) == (25, 2, 2, True)
    assert market.call("spend", member_id="m", amount=15, reference="job-1") == (
        25,
        2,
        2,
        True,
    )
    assert market.entries() == [("opening", 40, 40), ("spend", -15, 25)]
    assert violations(market.conn) == []


def test_nobody_spends_more_than_they_have(market: Marketplace) -> None:
    """A refused spend leaves nothing behind, and its reference is free."""
    with refused("RN002"):
        market.call("spend", member_id="m", amount=41, reference="job-1", at=MAY[2])
    assert market.lots() == [("allowance", 40)]
    assert (
        market.call("spend", member_id="m", amount=40, reference="job-1", at=MAY[2])[0]
        == 0
    )


def test_spending_takes_from_the_lot_that_ends_first(market: Marketplace) -> None:
    """
    A bought lot that ends before the cycle, then the cycle's, then one that ends later,
    then one that never does.
    """
    for reference, expires_at in (
        ("never", None),
        ("june", utc("2016-06-30T00:00")),
        ("may", utc("2016-05-10T00:00")),
    ):
        market.call(
            "purchase",
            member_id="m",
            amount=5,
            reference=reference,
            expires_at=expires_at,
            at=MAY[2],
        )
    market.call("spend", member_id="m", amount=48, reference="job", at=MAY[3])
    assert market.lots() == [
        ("allowance", 0),
        ("purchase", 5),
        ("purchase", 2),
        ("purchase", 0),
    ]
    rows = market.conn.execute(
        "SELECT lot, amount FROM renewer.ledger_entry WHERE kind = 'spend' ORDER BY seq"
    )
    assert [tuple(row.values()) for row in rows] == [(4, -5), (1, -40), (3, -3)]
    assert violations(market.conn) == []


def test_a_lapsed_lot_is_not_spendable_even_before_it_is_swept(
    market: Marketplace,
) -> None:
    """Then the pass sweeps it, dated at its end, and counts the member as expired."""
    ends_at = utc("2016-05-10T00:00")
    market.call(
        "grant_bonus",
        member_id="m",
        amount=5,
        reference="gift",
        expires_at=ends_at,
        at=MAY[2],
    )
    assert market.member()["due_at"] == ends_at
    with refused("RN002"):
        market.call("spend", member_id="m", amount=41, reference="job", at=MAY[10])
    counts = market.run("2016-05-10T13:00")
    assert counts == counted(due=1, expired=1, entries=1)
    assert market.entries()[-1] == ("expiry", -5, 40)
    assert market.member()["due_at"] == utc("2016-05-19T00:00")


def test_a_refund_goes_back_where_it_came_from_last_spent_first(
    market: Marketplace,
) -> None:
    """Over several lots and in several steps, and never more than was spent."""
    market.call("purchase", member_id="m", amount=10, reference="bought", at=MAY[2])
    market.call("spend", member_id="m", amount=46, reference="job", at=MAY[3])
    assert market.lots() == [("allowance", 0), ("purchase", 4)]
    refund = {"member_id": "m", "spend_reference": "job", "at": MAY[4]}
    assert market.call("refund", **refund, reference="r1", amount=4) == (8, 5, 5, False)
    assert market.lots() == [("allowance", 0), ("purchase", 8)]
    assert market.call("refund", **refund, reference="r2", amount=5) == (
        13,
        6,
        7,
        False,
    )
    assert market.lots() == [("allowance", 3), ("purchase", 10)]
    with refused("RN004"):
        market.call("refund", **refund, reference="r3", amount=38)
    assert market.call("refund", **refund, reference="r3") == (50, 8, 8, False)
    with refused("RN004"):
        market.call("refund", **refund, reference="r4")
    assert market.call("refund", **refund, reference="r3") == (50, 8, 8, True)
    assert market.lots() == [("allowance", 40), ("purchase", 10)]
    assert violations(market.conn) == []


def test_a_refund_after_the_cycle_belongs_to_the_current_one(
    market: Marketplace,
) -> None:
    """
    Question 9: it becomes a refund lot that ends with the present cycle.

    A bought lot takes its part back.
    """
    market.call("purchase", member_id="m", amount=10, reference="bought", at=MAY[2])
    market.call("spend", member_id="m", amount=45, reference="job", at=MAY[3])
    market.run("2016-05-19T00:00")
    assert (
        market.call(
            "refund", member_id="m", spend_reference="job", reference="r", at=MAY[20]
        )[0]
        == 110
    )
    assert market.lots() == [
        ("allowance", 0),
        ("purchase", 10),
        ("allowance", 60),
        ("refund", 40),
    ]
    market.run("2016-06-19T00:00")
    assert market.lots() == [
        ("allowance", 0),
        ("purchase", 10),
        ("allowance", 0),
        ("refund", 0),
        ("allowance", 60),
    ]
    assert violations(market.conn) == []


def test_a_refund_dated_before_the_boundary_is_judged_by_the_ledger(
    market: Marketplace,
) -> None:
    """The later of its time and the last posted boundary counts."""
    market.call("spend", member_id="m", amount=5, reference="job", at=MAY[3])
    market.run("2016-05-19T00:00")
    market.call(
        "refund", member_id="m", spend_reference="job", reference="r", at=MAY[18]
    )
    assert market.lots()[-1] == ("refund", 5)


def test_a_refund_makes_a_used_up_lot_lapse_again(market: Marketplace) -> None:
    """Its end had been forgotten by a pass that found nothing in it."""
    ends_at = utc("2016-06-10T00:00")
    market.call(
        "purchase",
        member_id="m",
        amount=5,
        reference="p",
        expires_at=ends_at,
        at=MAY[2],
    )
    market.call("spend", member_id="m", amount=45, reference="job", at=MAY[3])
    market.run("2016-05-19T00:00")
    assert market.member()["lapses_at"] is None
    market.call(
        "refund",
        member_id="m",
        spend_reference="job",
        reference="r",
        amount=5,
        at=MAY[20],
    )
    assert market.member()["lapses_at"] == market.member()["due_at"] == ends_at
    market.run("2016-06-10T00:00")
    assert market.entries()[-1] == ("expiry", -5, 60)


def test_a_refund_comes_back_to_a_rollover_lot_whatever_cycle_it_is(
    database: str, conn: Database
) -> None:
    """What rolled over belongs to no cycle any more."""
    load_plans(conn)
    bring_in(conn, ["m,plus,2016-04-19,UTC,active,30"], EPOCH)
    market = Marketplace(conn, database)
    market.run("2016-05-19T00:00")
    market.call("spend", member_id="m", amount=20, reference="job", at=MAY[20])
    assert market.lots() == [("allowance", 0), ("rollover", 10), ("allowance", 70)]
    market.run("2016-06-19T00:00")
    market.call(
        "refund",
        member_id="m",
        spend_reference="job",
        reference="r",
        at=utc("2016-06-20T00:00"),
    )
    assert market.lots() == [
        ("allowance", 0),
        ("rollover", 30),
        ("allowance", 0),
        ("rollover", 70),
        ("allowance", 70),
    ]
    assert violations(conn) == []


def test_an_enrolment_is_awarded_the_cycle_it_falls_in(market: Marketplace) -> None:
    """Once, by the next pass; the boundary after it comes from the anchor."""
    enrol = {
        "member_id": "new",
        "plan": "plus",
        "anchor_on": "2016-03-31",
        "timezone": "Asia/Tokyo",
        "status": "active",
        "reference": "e",
    }
    assert market.call("enroll", **enrol, at=MAY[10]) == (0, None, None, False)
    assert market.call("enroll", **enrol) == (0, None, None, True)
    assert market.run("2016-05-10T12:00")["renewed"] == 1
    row = market.conn.execute(
        "SELECT * FROM renewer.ledger_entry WHERE member_id = 'new'"
    ).fetchone()
    assert row is not None
    assert (row["kind"], row["amount"], str(row["first_day"]), row["occurred_at"]) == (
        "renewal", 70, "2016-04-30", MAY[10],
    )  # fmt: skip
    assert market.member("new")["renews_at"] == utc("2016-05-30T15:00")
    assert market.run("2016-05-10T13:00")["due"] == 0
    assert violations(market.conn) == []


def test_an_enrolment_under_review_waits_for_its_end(market: Marketplace) -> None:
    """Then it and every boundary after it are posted, each awarded."""
    enrol = {
        "member_id": "new",
        "plan": "basic",
        "anchor_on": "2016-05-02",
        "timezone": "UTC",
        "status": "under_review",
        "reference": "e",
        "at": MAY[2],
    }
    market.call("enroll", **enrol)
    assert market.run("2016-05-18T00:00")["due"] == 0
    market.call(
        "set_status",
        member_id="new",
        status="active",
        reference="ok",
        at=utc("2016-06-10T00:00"),
    )
    assert market.run("2016-06-10T00:00", members=["new"])["renewed"] == 1
    assert market.entries("new") == [
        ("renewal", 60, 60),
        ("expiry", -60, 0),
        ("renewal", 60, 60),
    ]
    assert violations(market.conn) == []


def test_an_upgrade_begins_a_cycle_and_credits_the_rest_of_the_old(
    market: Marketplace,
) -> None:
    """
    Twelve of thirty days are over: 70 − 60 + 60 × 12 ÷ 30 = 34.

    Unused Connects stay, the anchor moves.
    """
    at = utc("2016-05-01T15:00")
    market.call(
        "change_plan",
        member_id="m",
        plan="plus",
        effective="now",
        reference="up",
        at=at,
    )
    assert market.run("2016-05-01T15:00")["renewed"] == 1
    assert market.entries()[-1] == ("renewal", 34, 74)
    assert str(market.member()["anchor_on"]) == "2016-05-01"
    assert market.member()["renews_at"] == utc("2016-06-01T00:00")
    assert violations(market.conn) == []
    market.run("2016-06-01T00:00")
    assert market.entries()[-1] == ("renewal", 70, 144)
    assert violations(market.conn) == []


def test_changing_back_and_forth_earns_nothing(market: Marketplace) -> None:
    """
    On one day the credits add up to that of the best plan, reckoned from the day's
    first.
    """
    for number, plan in enumerate(
        ["plus", "basic", "plus", "agency-plus", "basic", "agency-plus"]
    ):
        at = utc(f"2016-05-01T15:{number:02}")
        market.call(
            "change_plan",
            member_id="m",
            plan=plan,
            effective="now",
            reference=plan + str(number),
            at=at,
        )
        market.run(f"2016-05-01T15:{number:02}")
    credits = [entry[:2] for entry in market.entries()[1:]]
    assert credits == [("renewal", 34), ("adjustment", 10)]
    assert violations(market.conn) == []


def test_an_upgrade_on_the_boundary_day_adjusts_that_days_renewal(
    market: Marketplace,
) -> None:
    """The renewal stays; the difference goes into its lot."""
    market.run("2016-05-19T00:00")
    market.call(
        "change_plan",
        member_id="m",
        plan="plus",
        effective="now",
        reference="up",
        at=MAY[19],
    )
    market.run("2016-05-19T12:00")
    assert market.entries()[-1] == ("adjustment", 10, 70)
    assert market.lots() == [("allowance", 0), ("allowance", 70)]
    assert violations(market.conn) == []
    market.run("2016-06-19T00:00")
    assert violations(market.conn) == []


def test_a_downgrade_waits_for_the_next_cycle_and_carries_nothing(
    database: str, conn: Database
) -> None:
    """
    Question 5: the new plan's cap governs the boundary.

    Changing one's mind cancels it.
    """
    load_plans(conn)
    bring_in(conn, ["m,plus,2016-04-19,UTC,active,30"], EPOCH)
    market = Marketplace(conn, database)
    down = {"member_id": "m", "effective": "next_cycle"}
    market.call("change_plan", **down, plan="basic", reference="1", at=MAY[2])
    market.run("2016-05-02T13:00")
    assert (market.member()["plan"], market.member()["pending_plan"]) == (
        "plus",
        "basic",
    )
    market.call("change_plan", **down, plan="plus", reference="2", at=MAY[3])
    market.run("2016-05-03T13:00")
    assert market.member()["pending_plan"] is None
    market.call("change_plan", **down, plan="basic", reference="3", at=MAY[4])
    market.run("2016-05-19T00:00")
    assert market.entries()[1:] == [("expiry", -30, 0), ("renewal", 60, 60)]
    assert market.member()["plan"] == "basic"


def test_what_is_recorded_late_is_applied_in_the_order_of_its_time(
    market: Marketplace,
) -> None:
    """
    A suspension before the boundary and its end after it: the boundary between them is
    0.
    """
    market.call(
        "set_status", member_id="m", status="suspended", reference="1", at=MAY[18]
    )
    market.call("set_status", member_id="m", status="active", reference="2", at=MAY[20])
    market.run("2016-05-21T00:00")
    assert market.entries()[1:] == [("expiry", -40, 0), ("renewal", 0, 0)]
    assert market.member()["status"] == "active"


def test_a_closed_member_is_final(market: Marketplace) -> None:
    """
    Boundaries before the end are posted, nothing after.

    The balance stays and every call is refused.
    """
    market.call(
        "set_status", member_id="m", status="closed", reference="end", at=MAY[20]
    )
    with refused("RN005"):
        market.call("spend", member_id="m", amount=1, reference="job")
    market.run("2016-07-01T00:00")
    assert market.entries()[1:] == [("expiry", -40, 0), ("renewal", 60, 60)]
    assert (market.member()["status"], market.member()["due_at"]) == ("closed", None)
    with refused("RN005"):
        market.call("set_status", member_id="m", status="active", reference="back")
    assert market.call("set_status", member_id="m", status="closed", reference="end")[3]
    assert violations(market.conn) == []


def test_a_new_zone_moves_the_boundaries_after_the_next(market: Marketplace) -> None:
    """The next one keeps its instant."""
    market.call(
        "set_timezone", member_id="m", timezone="Asia/Tokyo", reference="z", at=MAY[2]
    )
    market.run("2016-05-02T13:00")
    assert market.member()["renews_at"] == utc("2016-05-19T00:00")
    assert violations(market.conn) == []
    market.run("2016-05-19T00:00")
    assert market.member()["renews_at"] == utc("2016-06-18T15:00")
    assert market.member()["boundary_timezone"] is None
    assert violations(market.conn) == []


def test_one_reference_is_one_call(market: Marketplace) -> None:
    """
    Question 8: a reference names one call across all functions.

    With other content it is refused and says what it was used for.
    """
    market.call("grant_bonus", member_id="m", amount=30, reference="gift", at=MAY[2])
    assert market.call(
        "grant_bonus", member_id="m", amount=30, reference="gift", at=MAY[3]
    )[3]
    for function, more in (
        ("grant_bonus", {"amount": 31}),
        ("purchase", {"amount": 30}),
        ("spend", {"amount": 30}),
        ("set_status", {"status": "active"}),
    ):
        with refused("RN003"):
            market.call(function, member_id="m", reference="gift", at=MAY[2], **more)
    market.call("grant_bonus", member_id="m", amount=30, reference="gift 2", at=MAY[2])
    assert market.entries()[1:] == [("bonus", 30, 70), ("bonus", 30, 100)]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("spend", {"amount": 0}),
        ("spend", {"amount": -5}),
        ("spend", {"amount": None}),
        ("spend", {"amount": 5, "reference": ""}),
        ("spend", {"amount": 5, "reference": None}),
        ("spend", {"amount": 5, "at": None}),
        ("spend", {"amount": 5, "at": "infinity"}),
        ("spend", {"amount": 5, "at": datetime.now(UTC) + timedelta(hours=1)}),
        ("refund", {"spend_reference": "job", "amount": -1}),
        ("purchase", {"amount": 5, "expires_at": MAY[1], "at": MAY[2]}),
        ("purchase", {"amount": 5, "expires_at": "infinity"}),
        ("purchase", {"amount": 5, "expires_at": "20000-01-01"}),
        ("purchase", {"amount": 5, "at": "0044-03-15 BC"}),
        ("spend", {"amount": 5, "at": "-infinity"}),
        ("grant_bonus", {"amount": 0}),
        ("change_plan", {"plan": "gold", "effective": "now"}),
        ("change_plan", {"plan": None, "effective": "now"}),
        ("change_plan", {"plan": "plus", "effective": "soon"}),
        ("set_status", {"status": "happy"}),
        ("set_timezone", {"timezone": "Mars/Base"}),
        ("set_timezone", {"timezone": "EST5EDT4"}),
    ],
)
def test_a_bad_argument_is_refused_and_nothing_is_kept(
    market: Marketplace, function: str, arguments: dict[str, Any]
) -> None:
    """RN006, and a message that says what to do."""
    before = market.member()
    with refused("RN006"):
        market.call(function, **{"member_id": "m", "reference": "x"} | arguments)
    for unknown in ("job", None):
        with refused("RN007"):
            market.call("refund", member_id="m", reference="x", spend_reference=unknown)
    assert market.member() == before
    assert market.conn.execute("SELECT 1 FROM renewer.request").fetchone() is None


@pytest.mark.parametrize(
    "change",
    [
        {"member_id": "m"},
        {"member_id": ""},
        {"member_id": "x" * 65},
        {"plan": "gold"},
        {"timezone": "Mars/Base"},
        {"status": "closed"},
        {"status": None},
        {"anchor_on": "2016-05-11"},
        {"anchor_on": None},
        {"anchor_on": "1066-10-14"},
    ],
)
def test_a_bad_enrolment_is_refused(
    market: Marketplace, change: dict[str, Any]
) -> None:
    """RN006 as well, a member who exists included."""
    enrol = {
        "member_id": "new",
        "plan": "plus",
        "anchor_on": "2016-05-10",
        "timezone": "UTC",
        "status": "active",
        "reference": "e",
        "at": MAY[10],
    }
    with refused("RN006"):
        market.call("enroll", **enrol | change)
    assert market.conn.execute(
        "SELECT count(*) AS n FROM renewer.member"
    ).fetchone() == {"n": 1}


def test_an_unknown_member_is_refused(market: Marketplace) -> None:
    """RN001."""
    for function, more in (
        ("spend", {"amount": 1}),
        ("set_status", {"status": "active"}),
    ):
        with refused("RN001"):
            market.call(function, member_id="nobody", reference="x", **more)


def test_a_member_who_failed_waits_for_their_next_try(market: Marketplace) -> None:
    """
    What moves Connects does not make them due before it.

    A request that waits may mend what is wrong, and does.
    """
    market.conn.execute("UPDATE renewer.member SET plan = 'gold'")
    market.run("2016-05-19T00:00")
    assert (
        market.member()["due_at"]
        == market.member()["retry_at"]
        == utc("2016-05-19T00:50")
    )
    market.conn.execute("UPDATE renewer.member SET retry_at = '2099-01-01Z'")
    market.call(
        "purchase",
        member_id="m",
        amount=1,
        reference="p",
        expires_at=utc("2016-05-19T00:10"),
        at=MAY[2],
    )
    assert market.member()["due_at"] == utc("2099-01-01")
    market.call("set_timezone", member_id="m", timezone="Asia/Tokyo", reference="z")
    assert market.member()["due_at"] == market.member()["retry_at"] < datetime.now(UTC)


def test_closed_is_final_whatever_was_recorded_before(market: Marketplace) -> None:
    """
    A request dated after the closing changes nothing, though it was recorded first.
    """
    market.call(
        "set_status",
        member_id="m",
        status="suspended",
        reference="s",
        at=utc("2016-05-10T12:00:05"),
    )
    market.call(
        "set_status",
        member_id="m",
        status="closed",
        reference="c",
        at=utc("2016-05-10T12:00:03"),
    )
    market.run("2016-06-01")
    assert (market.member()["status"], market.entries()) == (
        "closed",
        [("opening", 40, 40)],
    )
    with refused("RN005"):
        market.call(
            "purchase", member_id="m", amount=1, reference="p", at=utc("2016-06-01")
        )


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("change_plan", {"plan": "plus", "effective": "now"}),
        ("change_plan", {"plan": "plus", "effective": "next_cycle"}),
        ("set_timezone", {"timezone": "America/New_York"}),
        ("set_status", {"status": "suspended"}),
    ],
)
def test_a_request_dated_before_the_enrolment_comes_after_its_award(
    market: Marketplace, function: str, arguments: dict[str, Any]
) -> None:
    """The application's clock may be a little behind the database's."""
    known = {
        "member_id": "new",
        "plan": "basic",
        "timezone": "UTC",
        "status": "active",
        "reference": "e",
    }
    market.call("enroll", anchor_on="2016-05-01", at=utc("2016-05-01T02:00"), **known)
    market.call(
        function,
        member_id="new",
        reference="r",
        at=utc("2016-05-01T01:59"),
        **arguments,
    )
    assert market.run("2016-05-01T03:00", members=["new"])["failed"] == 0
    assert market.entries("new")[0] == ("renewal", 60, 60)
    assert violations(market.conn) == []


def test_a_call_repeated_after_its_end_is_answered(market: Marketplace) -> None:
    """
    What was bought may have lapsed meanwhile: whoever lost the answer must not take it
    for refused.
    """
    known = {
        "member_id": "m",
        "amount": 5,
        "reference": "p",
        "expires_at": utc("2016-05-03"),
    }
    first = market.call("purchase", at=utc("2016-05-02"), **known)
    for at in (utc("2016-05-04"), utc("2099-01-01")):
        assert market.call("purchase", at=at, **known) == (*first[:3], True)
    known = {
        "member_id": "new",
        "plan": "basic",
        "timezone": "UTC",
        "status": "active",
        "reference": "e",
    }
    market.call("enroll", anchor_on="2016-05-03", at=utc("2016-05-03"), **known)
    assert market.call("enroll", anchor_on="2016-05-03", at=utc("2016-05-02"), **known)[
        3
    ]


def test_a_refund_is_never_dead_on_arrival(market: Marketplace) -> None:
    """
    The newest allowance has lapsed and no pass was there: what comes back ends with its
    cycle alone.
    """
    add_plan(market.conn, Revision("short", date(1970, 1, 1), 10, None, 1))
    bring_in(market.conn, ["s,short,2016-05-01"], EPOCH)
    market.run("2016-06-01", members=["s"])
    market.call("spend", member_id="s", amount=6, reference="job", at=utc("2016-06-10"))
    balance = market.call(
        "refund",
        member_id="s",
        spend_reference="job",
        reference="back",
        at=utc("2016-07-01T00:10"),
    )[0]
    assert balance == 10
    market.run("2016-07-01T01:00", members=["s"])
    assert market.member("s")["balance"] == 16
    assert violations(market.conn) == []


NEW = {"plan": "basic", "timezone": "UTC", "status": "active"}


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("purchase", {"amount": 1_000_000_001}),
        ("enroll", NEW | {"anchor_on": "2016-05-01", "at": "infinity"}),
        ("enroll", NEW | {"anchor_on": "infinity"}),
    ],
)
def test_what_no_ledger_holds_is_refused_in_its_own_words(
    market: Marketplace, function: str, arguments: dict[str, Any]
) -> None:
    """RN006, not an error of the database's own."""
    with refused("RN006"):
        market.call(
            function,
            member_id="m" if function == "purchase" else "new",
            reference="r",
            **arguments,
        )


def test_a_plan_without_rules_for_today_is_refused(market: Marketplace) -> None:
    """Now would fail them at every pass; with the next cycle there is time to load."""
    add_plan(market.conn, Revision("gold", date(2999, 1, 1), 100, 0))
    gold = {"member_id": "m", "plan": "gold", "at": MAY[2]}
    told = (
        "plan 'gold' has no rules for 2016-05-02 yet: use next_cycle, or load an "
        "earlier revision"
    )
    with refused("RN006", told):
        market.call("change_plan", **gold, effective="now", reference="now")
    asked = market.call("change_plan", **gold, effective="next_cycle", reference="n")
    assert asked == (40, None, None, False)


def test_a_cycle_older_than_the_rules_of_its_plan_can_be_changed(
    database: str, conn: Database
) -> None:
    """
    Imported in the cycle of April 19; Gold, of 100, is there since May 1.

    On May 10 they change to Plus: 70 − 100 + 100 × 21 ÷ 30 = 40.
    """
    load_plans(conn)
    add_plan(conn, Revision("gold", date(2016, 5, 1), 100, 0))
    bring_in(conn, ["m,gold,2016-04-19"], "2016-05-05")
    change = {"plan": "plus", "effective": "now", "reference": "c", "at": MAY[10]}
    market = Marketplace(conn, database)
    market.call("change_plan", member_id="m", **change)
    assert market.run("2016-05-10T12:00") == counted(due=1, renewed=1, entries=1)
    assert market.entries() == [("renewal", 40, 40)]
    assert violations(conn) == []


@pytest.mark.parametrize(
    ("timezone", "at"),
    [
        ("CET", "2016-06-30T22:30"),
        ("MET", "2016-06-30T22:30"),
        ("EET", "2016-06-30T21:30"),
        ("WET", "2016-06-30T23:30"),
    ],
)
def test_a_zone_that_is_also_an_abbreviation_has_its_summer(
    market: Marketplace, timezone: str, at: str
) -> None:
    """Half an hour after a summer's midnight, the day that has begun may be named."""
    market.call(
        "enroll",
        member_id="new",
        plan="basic",
        anchor_on=date(2016, 7, 1),
        timezone=timezone,
        status="active",
        reference="e",
        at=utc(at),
    )
    counts = market.run(at, members=["new"])
    assert counts == counted(due=1, renewed=1, entries=1)
    rows = market.conn.execute(
        "SELECT first_day, occurred_at FROM renewer.ledger_entry "
        "WHERE member_id = 'new'"
    ).fetchall()
    assert rows == [{"first_day": date(2016, 7, 1), "occurred_at": utc(at)}]


def buy(market: Marketplace, amount: int, reference: str) -> tuple[Any, ...]:
    """Buy *amount* for m."""
    bought = {"amount": amount, "reference": reference, "at": MAY[2]}
    return market.call("purchase", member_id="m", **bought)


def test_a_balance_no_ledger_holds_is_refused_with_a_way_out(
    market: Marketplace,
) -> None:
    """By the call that would make it, in words of our own."""
    assert buy(market, 1_000_000_000, "first")[0] == 1_000_000_040
    assert buy(market, 1_000_000_000, "second")[0] == 2_000_000_040
    told = (
        "member 'm' has 2000000040 Connects and would have 3000000040, more than a "
        "ledger holds: let them be spent first"
    )
    with refused("RN006", told):
        buy(market, 1_000_000_000, "third")


def test_a_renewal_no_ledger_holds_fails_and_says_so(market: Marketplace) -> None:
    """Nothing of it is written, and the member is tried again."""
    for reference, amount in (
        ("first", 1_000_000_000),
        ("second", 1_000_000_000),
        ("third", 147_483_600),
    ):
        buy(market, amount, reference)
    report = renew(market.database, "2016-05-19T00:00")
    assert (report.counts.as_dict(), report.failures) == (
        counted(due=1, failed=1),
        (
            (
                "m",
                "the balance would be 2147483660, more than a ledger holds "
                "(2147483647): let Connects be spent first",
            ),
        ),
    )
    failures = market.conn.execute(
        "SELECT member_id, code, attempts FROM renewer.failure"
    ).fetchall()
    assert failures == [{"member_id": "m", "code": "InputError", "attempts": 1}]
    assert market.member()["balance"] == 2_147_483_640


@pytest.mark.parametrize(
    "name",
    ["a\x1b[31mb", "a\nb", "a\x7fb", "a\x9bb", "a\u2028b", "a\u202eb", "a\u2066b"],
)
def test_a_name_that_steers_a_terminal_is_refused(
    market: Marketplace, name: str
) -> None:
    """A member's and a call's: both are printed."""
    new = {"plan": "basic", "timezone": "UTC", "status": "active", "at": MAY[2]}
    new |= {"anchor_on": date(2016, 5, 1)}
    told = "has characters that cannot be printed: leave them out"
    with refused("RN006", f"member_id {told}"):
        market.call("enroll", member_id=name, reference="e", **new)
    with refused("RN006", f"reference {told}"):
        market.call("spend", member_id="m", reference=name, amount=1)
    assert market.conn.execute("SELECT member_id FROM renewer.member").fetchall() == [
        {"member_id": "m"}
    ]


def test_a_name_is_refused_by_a_call_as_by_an_import(market: Marketplace) -> None:
    """
    Characters that steer, or that nobody sees, make two members look like one.

    Each that Python's Unicode calls control, format or separator, within a name and at
    its ends; letters and the plain blank within are nobody's business.
    """
    unseen = [
        each
        for each in map(chr, range(1, sys.maxunicode + 1))
        if unicodedata.category(each) in ("Cc", "Cf", "Zs", "Zl", "Zp")
    ]
    names = [f"a{each}b" for each in unseen if each != " "]
    names += [f"a{each}" for each in unseen] + [f"{each}b" for each in unseen]
    check = "SELECT renewer.check_name('member_id', %s, 64)"
    for name in names:
        with pytest.raises(InputError):
            importing.read_member_id(name)
        with refused("RN006"):
            market.conn.execute(check, [name])
    for name in ["a b", "é", "名前", "a/b:c-d_e", "👍"]:
        assert importing.read_member_id(name) == name
        market.conn.execute(check, [name])
