"""
`verify` finds what is broken: each invariant is broken on purpose, as only a superuser
can.
"""

from functools import partial

import pytest

from renewer.jobs.zones import fix_boundaries
from renewer.store.connection import Database, connect
from tests.support import bring_in, load_plans, renew, violations


@pytest.fixture
def renewed(database: str, conn: Database) -> Database:
    """Two members with three renewals each, one of them with a rollover."""
    load_plans(conn)
    bring_in(
        conn,
        ["a,basic,2016-04-19,UTC,active,2", "b,plus,2016-04-30,Asia/Tokyo,active,9"],
        "2016-05-01",
    )
    renew(database, "2016-08-01T00:00")
    assert violations(conn) == []
    return conn


def test_the_schema_is_the_same_when_names_are_quoted(renewed: Database) -> None:
    """A setting of the role changes how the server tells names, not what is there."""
    renewed.execute("SET quote_all_identifiers = on")
    assert violations(renewed) == []


@pytest.mark.one_server("an UPDATE there takes no interval of a column")
@pytest.mark.parametrize(
    ("sabotage", "broken"),
    [
        (
            "UPDATE renewer.member SET balance = balance + 1 WHERE member_id = 'a'",
            {(1, "a")},
        ),
        (
            "UPDATE renewer.lot SET remaining = remaining + 1 "
            "WHERE member_id = 'a' AND number = 2",
            {(1, "a"), (5, "a")},
        ),
        (
            "UPDATE renewer.ledger_entry SET amount = 61 "
            "WHERE member_id = 'a' AND seq = 3",
            {(1, "a"), (2, "a"), (3, "a"), (5, "a")},
        ),
        (
            "UPDATE renewer.ledger_entry SET balance_after = 7 "
            "WHERE member_id = 'a' AND seq = 3",
            {(2, "a")},
        ),
        (
            "UPDATE renewer.ledger_entry SET seq = 99 "
            "WHERE member_id = 'b' AND seq = 2",
            {(1, "b"), (2, "b")},
        ),
        ("UPDATE renewer.member SET last_seq = 40 WHERE member_id = 'a'", {(2, "a")}),
        (
            "UPDATE renewer.ledger_entry SET first_day = '2016-05-20' "
            "WHERE member_id = 'a' AND first_day = '2016-05-19'",
            {(3, "a")},
        ),
        (
            "UPDATE renewer.member SET first_boundary_on = '2016-04-19' "
            "WHERE member_id = 'a'",
            {(3, "a")},
        ),
        (
            "UPDATE renewer.member SET renews_at = renews_at + interval '1 hour' "
            "WHERE member_id = 'b'",
            {(4, "b")},
        ),
        (
            "UPDATE renewer.member SET cycle_n = cycle_n + 1 WHERE member_id = 'b'",
            {(3, "b"), (4, "b")},
        ),
        (
            "UPDATE renewer.member SET timezone = 'Mars/Base' WHERE member_id = 'b'",
            {(4, "b")},
        ),
        (
            "UPDATE renewer.member SET retry_at = now() WHERE member_id = 'a'",
            {(4, "a")},
        ),
        ("UPDATE renewer.member SET parked = true WHERE member_id = 'a'", {(4, "a")}),
        (
            "INSERT INTO renewer.failure (member_id, code, message) "
            "VALUES ('a', 'x', 'y')",
            {(4, "a")},
        ),
        (
            "UPDATE renewer.lot SET expires_at = '2017-01-01Z' "
            "WHERE member_id = 'a' AND remaining > 0",
            {(4, "a")},
        ),
        (
            "INSERT INTO renewer.request "
            "(member_id, reference, number, kind, content, at, balance) "
            "VALUES ('a', 'r', 1, 'set_status', '{}', '2016-07-01Z', 0)",
            {(4, "a")},
        ),
        (
            "UPDATE renewer.member "
            "SET anchor_on = '2015-04-19', cycle_n = cycle_n + 12 "
            "WHERE member_id = 'a'",
            {(3, "a")},
        ),
        (
            "UPDATE renewer.member SET cycle_last_day = cycle_last_day + 1 "
            "WHERE member_id = 'a'",
            {(3, "a")},
        ),
        (
            "UPDATE renewer.ledger_entry SET last_day = last_day - 1 "
            "WHERE member_id = 'b' AND kind = 'renewal' AND seq = 4",
            {(3, "b")},
        ),
        (
            "UPDATE renewer.member SET cycle_n = NULL, cycle_first_day = NULL, "
            "cycle_last_day = NULL, first_boundary_on = NULL "
            "WHERE member_id = 'a'",
            {(3, "a")},
        ),
        ("DELETE FROM renewer.lot WHERE member_id = 'b' AND number = 1", {(5, "b")}),
        (
            "UPDATE renewer.ledger_entry SET lot = 1 WHERE member_id = 'b' AND seq = 4",
            {(5, "b")},
        ),
        (
            "UPDATE renewer.ledger_entry SET kind = 'adjustment' "
            "WHERE member_id = 'b' AND seq = 2",
            {(5, "b")},
        ),
        ("DELETE FROM renewer.member WHERE member_id = 'a'", {(1, "a")}),
    ],
)
def test_what_is_broken_is_named(
    renewed: Database, sabotage: str, broken: set[tuple[int, str]]
) -> None:
    """The invariant and the member, and nobody else."""
    assert renewed.execute(sabotage).rowcount == 1
    assert {(each.invariant, each.member_id) for each in violations(renewed)} == broken


@pytest.mark.one_server("an UPDATE there takes no interval of a column")
def test_boundaries_of_a_zone_that_changed_are_moved(
    renewed: Database, database: str
) -> None:
    """
    An update of the zone database moves the next boundary, and so when it is due.

    Nothing else of the member is touched.
    """
    before = renewed.execute(
        "SELECT * FROM renewer.member ORDER BY member_id"
    ).fetchall()
    renewed.execute(
        "UPDATE renewer.member SET renews_at = renews_at + interval '1 hour' "
        "WHERE member_id = 'b'"
    )
    assert fix_boundaries(renewed, partial(connect, database)) == 1
    assert violations(renewed) == []
    after = renewed.execute(
        "SELECT * FROM renewer.member ORDER BY member_id"
    ).fetchall()
    assert after == [
        row | {"version": row["version"] + (row["member_id"] == "b")} for row in before
    ]
    assert fix_boundaries(renewed, partial(connect, database)) == 0


def test_lag_is_no_violation(renewed: Database) -> None:
    """What is due and not posted yet breaks nothing."""
    due = renewed.execute(
        "SELECT count(*) AS n FROM renewer.member WHERE due_at < now()"
    ).fetchone()
    assert due == {"n": 2}
    assert violations(renewed) == []


@pytest.mark.parametrize(
    "fact", ["lapses_at = '2016-08-02Z'", "requested_at = '2016-08-02Z'"]
)
def test_a_fact_that_is_too_early_is_no_violation(
    renewed: Database, database: str, fact: str
) -> None:
    """It costs one empty look, which writes the truth."""
    renewed.execute(f"UPDATE renewer.member SET {fact} WHERE member_id = 'a'")
    assert violations(renewed) == []
    assert renew(database, "2016-08-03T00:00").counts.skipped == 1
    assert renew(database, "2016-08-03T00:00").counts.due == 0
    assert violations(renewed) == []
