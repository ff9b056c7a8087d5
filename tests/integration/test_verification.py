"""`verify` finds what is broken: each invariant is broken on purpose, as only a superuser can."""

from functools import partial

import pytest

from renewer import store
from renewer.answers.verification import fix_boundaries
from tests.support import bring_in, load_plans, renew, violations


@pytest.fixture
def renewed(database: str, conn: store.Database) -> store.Database:
    """Two members with three renewals each, one of them with a rollover."""
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19,UTC,active,2", "b,plus,2016-04-30,Asia/Tokyo,active,9"], "2016-05-01")
    renew(database, "2016-08-01T00:00")
    assert violations(conn) == []
    return conn


@pytest.mark.parametrize(
    ("sabotage", "broken"),
    [
        ("UPDATE renewer.member SET balance = balance + 1 WHERE member_id = 'a'", {(1, "a")}),
        ("UPDATE renewer.lot SET remaining = remaining + 1 WHERE member_id = 'a' AND number = 2", {(1, "a"), (5, "a")}),
        ("UPDATE renewer.ledger_entry SET amount = 61 WHERE member_id = 'a' AND seq = 3",
         {(1, "a"), (2, "a"), (5, "a")}),
        ("UPDATE renewer.ledger_entry SET balance_after = 7 WHERE member_id = 'a' AND seq = 3", {(2, "a")}),
        ("UPDATE renewer.ledger_entry SET seq = 99 WHERE member_id = 'b' AND seq = 2", {(1, "b"), (2, "b")}),
        ("UPDATE renewer.member SET last_seq = 40 WHERE member_id = 'a'", {(2, "a")}),
        ("UPDATE renewer.ledger_entry SET first_day = '2016-05-20' WHERE member_id = 'a' AND first_day = '2016-05-19'",
         {(3, "a")}),
        ("UPDATE renewer.member SET first_boundary_on = '2016-04-19' WHERE member_id = 'a'", {(3, "a")}),
        ("UPDATE renewer.member SET renews_at = renews_at + interval '1 hour' WHERE member_id = 'b'", {(4, "b")}),
        ("UPDATE renewer.member SET cycle_n = cycle_n + 1 WHERE member_id = 'b'", {(3, "b"), (4, "b")}),
        ("UPDATE renewer.member SET timezone = 'Mars/Base' WHERE member_id = 'b'", {(4, "b")}),
        ("UPDATE renewer.member SET due_at = NULL WHERE member_id = 'a'", {(4, "a")}),
        ("UPDATE renewer.member SET due_at = due_at + interval '1 day' WHERE member_id = 'a'", {(4, "a")}),
        ("UPDATE renewer.member SET anchor_on = '2015-04-19', cycle_n = cycle_n + 12 WHERE member_id = 'a'",
         {(3, "a")}),
        ("UPDATE renewer.member SET cycle_n = NULL, first_boundary_on = NULL WHERE member_id = 'a'", {(3, "a")}),
        ("DELETE FROM renewer.lot WHERE member_id = 'b' AND number = 1", {(5, "b")}),
        ("UPDATE renewer.ledger_entry SET lot = 1 WHERE member_id = 'b' AND seq = 4", {(5, "b")}),
        ("UPDATE renewer.ledger_entry SET kind = 'adjustment' WHERE member_id = 'b' AND seq = 2", {(5, "b")}),
        ("DELETE FROM renewer.member WHERE member_id = 'a'", {(1, "a")}),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(renewed: store.Database, sabotage: str, broken: set[tuple[int, str]]) -> None:
    """The invariant and the member, and nobody else."""
    assert renewed.execute(sabotage).rowcount == 1
    assert {(each.invariant, each.member_id) for each in violations(renewed)} == broken


def test_boundaries_of_a_zone_that_changed_are_moved(renewed: store.Database, database: str) -> None:
    """After an update of the zone database: the next boundary, when it is due and the end of its lots; nothing else."""
    before = renewed.execute("SELECT * FROM renewer.member ORDER BY member_id").fetchall()
    renewed.execute("UPDATE renewer.member SET renews_at = renews_at + interval '1 hour' WHERE member_id = 'b'")
    renewed.execute("UPDATE renewer.lot SET cycle_ends_at = cycle_ends_at + interval '1 hour' WHERE member_id = 'b'")
    assert fix_boundaries(renewed, partial(store.connect, database)) == 1
    assert violations(renewed) == []
    after = renewed.execute("SELECT * FROM renewer.member ORDER BY member_id").fetchall()
    assert after == [row | {"version": row["version"] + (row["member_id"] == "b")} for row in before]
    ends = renewed.execute(
        "SELECT count(*) AS n FROM renewer.lot AS l JOIN renewer.member AS m USING (member_id) "
        "WHERE l.cycle_ends_at = m.renews_at"
    )
    assert ends.fetchone() == {"n": 2}
    assert fix_boundaries(renewed, partial(store.connect, database)) == 0


def test_lag_is_no_violation(renewed: store.Database) -> None:
    """What is due and not posted yet breaks nothing."""
    renewed.execute("UPDATE renewer.member SET due_at = '2016-07-01'")
    assert violations(renewed) == []
