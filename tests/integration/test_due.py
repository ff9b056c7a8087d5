"""When a member is due, and when lots end."""

import pytest

from renewer.store.connection import Database
from tests.support import Marketplace, counted, refused, utc, violations

DAYS = {n: utc(f"2016-05-{n:02}T00:00") for n in range(1, 32)}


@pytest.mark.parametrize(
    ("status", "lapses", "requested", "retry", "parked", "expected"),
    [
        ("active", None, None, None, False, 19),
        ("active", 12, None, None, False, 12),
        ("active", 12, 11, None, False, 11),
        ("active", 21, 22, None, False, 19),
        ("active", None, None, 20, False, 20),
        ("active", None, None, 3, False, 19),
        ("active", 12, 11, 13, True, None),
        ("suspended", None, None, None, False, 19),
        ("under_review", 12, None, None, False, None),
        ("under_review", None, None, 20, False, None),
        ("under_review", 12, 13, None, False, 13),
        ("under_review", None, 13, 20, False, 20),
        ("closed", 12, 11, 20, False, None),
    ],
)
def test_who_is_due_and_when(
    conn: Database,
    status: str,
    lapses: int | None,
    requested: int | None,
    retry: int | None,
    parked: bool,
    expected: int | None,
) -> None:
    """Days of May; the boundary is the 19th. None: nothing has to be done."""
    facts = [DAYS.get(day or 0) for day in (19, lapses, requested, retry)]
    row = conn.execute(
        "SELECT renewer.due_at(%s, %s, %s, %s, %s, %s) AS due_at",
        [status, *facts, parked],
    ).fetchone()
    assert row == {"due_at": DAYS.get(expected or 0)}


def test_who_is_closed_is_never_due_again(market: Marketplace) -> None:
    """However much later a pass comes, it takes nobody up."""
    market.call("set_status", member_id="m", status="closed", reference="c", at=DAYS[2])
    assert market.run("2016-05-02") == counted(due=1, applied=1)
    assert market.run("2017-05-02") == counted()
    closed = market.member()
    assert (closed["status"], closed["due_at"]) == ("closed", None)


def test_a_request_recorded_late_is_due_at_its_own_time(market: Marketplace) -> None:
    """The earliest of those that wait counts, whichever was called first."""
    for at, reference in ((5, "first"), (3, "earlier"), (4, "between")):
        market.call(
            "set_timezone",
            member_id="m",
            timezone="Asia/Tokyo",
            reference=reference,
            at=DAYS[at],
        )
    waiting = market.member()
    assert (waiting["requested_at"], waiting["due_at"]) == (DAYS[3], DAYS[3])


def test_a_lot_ends_at_its_end_and_not_before(market: Marketplace) -> None:
    """Neither on its day nor at a boundary shortly before; at its instant exactly."""
    ends_at = utc("2016-05-19T10:00")
    market.call(
        "grant_bonus",
        member_id="m",
        amount=5,
        reference="b",
        expires_at=ends_at,
        at=DAYS[2],
    )
    assert market.run("2016-05-19T00:00") == counted(due=1, renewed=1, entries=2)
    assert market.entries()[-1] == ("renewal", 60, 65)
    spend = {"member_id": "m", "amount": 61}
    before = utc("2016-05-19T09:59:59")
    assert market.call("spend", **spend, reference="before", at=before)[0] == 4
    market.call(
        "refund", member_id="m", spend_reference="before", reference="r", at=before
    )
    told = "not enough Connects: member 'm' has 60 to spend, 61 were asked for"
    with refused("RN002", told):
        market.call("spend", **spend, reference="at", at=ends_at)
    assert market.run("2016-05-19T10:00") == counted(due=1, expired=1, entries=1)
    assert market.entries()[-1] == ("expiry", -5, 60)
    assert violations(market.conn) == []


def test_a_refund_lot_of_today_is_not_over_while_a_boundary_waits(
    market: Marketplace,
) -> None:
    """
    No pass came on the 19th.

    What comes back on the 20th is of the cycle that has begun, so that what is spent of
    it and comes back on the 22nd goes into the same lot.
    """
    market.call("spend", member_id="m", amount=9, reference="job", at=DAYS[3])
    back = {"member_id": "m", "spend_reference": "job"}
    market.call("refund", **back, reference="back", at=DAYS[20])
    assert market.lots() == [("allowance", 31), ("refund", 9)]
    market.call("spend", member_id="m", amount=35, reference="again", at=DAYS[21])
    assert market.lots() == [("allowance", 0), ("refund", 5)]
    back = {"member_id": "m", "spend_reference": "again", "amount": 4}
    market.call("refund", **back, reference="back again", at=DAYS[22])
    assert market.lots() == [("allowance", 0), ("refund", 9)]
    assert violations(market.conn) == []
