"""A backfill awards what was missed: once, ever, and nothing else."""

import threading
from datetime import date
from functools import partial
from typing import Any

import pytest

from renewer.errors import InputError
from renewer.jobs import plan_files
from renewer.jobs.recorder import PassReport
from renewer.rules.ledger import CatchUp
from renewer.rules.plans import Revision
from renewer.store.connection import Database
from tests.support import (
    bring_in,
    load_plans,
    renew,
    repair,
    statement,
    utc,
    violations,
)


def late(conn: Database, member_id: str = "ana") -> list[tuple[Any, ...]]:
    """Return the late renewals of a member."""
    rows = conn.execute(
        "SELECT first_day, amount, occurred_at, reason FROM renewer.ledger_entry"
        " WHERE kind = 'late_renewal' AND member_id = %s ORDER BY seq",
        [member_id],
    )
    return [tuple(row.values()) for row in rows]


def missed(database: str, conn: Database, *more: str) -> None:
    """
    Bring ana in, and *more*.

    The job was away until August 20 and caught up with the latest alone.
    """
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,,,2", *more], "2016-05-14")
    renew(database, "2016-08-20", catch_up=CatchUp.LATEST)


def test_cycles_caught_up_with_nothing_are_made_up_for_once(
    database: str, conn: Database
) -> None:
    """
    One late renewal each, of today, into one lot of the current cycle.

    A second run finds nothing.
    """
    missed(database, conn)
    outcome = repair(database, "2016-08-25T10:00", reason="the scheduler was down")
    assert (outcome.counts.due, outcome.counts.late, outcome.counts.entries) == (
        1,
        1,
        3,
    )
    assert late(conn) == [
        (date(2016, month, 19), 60, utc("2016-08-25T10:00"), "the scheduler was down")
        for month in (5, 6, 7)
    ]
    lot = conn.execute(
        "SELECT source, remaining, issued_at FROM renewer.lot ORDER BY number DESC"
    )
    assert tuple((lot.fetchone() or {}).values()) == (
        "allowance",
        180,
        utc("2016-08-25T10:00"),
    )
    assert repair(database, "2016-08-25T11:00").counts.due == 0
    assert len(late(conn)) == 3
    assert violations(conn) == []


def test_what_is_made_up_for_is_treated_as_any_from_then_on(
    database: str, conn: Database
) -> None:
    """Basic carries nothing: what is unused expires at the next boundary."""
    missed(database, conn)
    repair(database, "2016-08-25")
    renew(database, "2016-09-19")
    assert statement(conn, "ana")[-3:] == [
        ("expiry", -60, 180),
        ("expiry", -180, 0),
        ("renewal", 60, 60),
    ]


def test_only_cycles_of_the_range_are_repaired(database: str, conn: Database) -> None:
    """Both ends are included, by the first day of the cycle."""
    missed(database, conn)
    repair(database, "2016-08-25", date(2016, 6, 19), date(2016, 6, 19))
    assert [row[0] for row in late(conn)] == [date(2016, 6, 19)]
    repair(database, "2016-08-25", date(2016, 6, 20), date(2016, 7, 18))
    assert len(late(conn)) == 1
    repair(database, "2016-08-26")
    assert [row[0] for row in late(conn)] == [
        date(2016, 6, 19),
        date(2016, 5, 19),
        date(2016, 7, 19),
    ]


def test_boundaries_never_posted_are_posted_from_the_oldest_up_to_the_end(
    database: str, conn: Database
) -> None:
    """
    They are ordinary renewals, in full, with their own dates.

    Later ones are left to the next pass.
    """
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,,,2"], "2016-05-14")
    outcome = repair(database, "2016-08-25", date(2016, 7, 1), date(2016, 7, 31))
    assert (outcome.counts.due, outcome.counts.renewed) == (1, 1)
    rows = conn.execute(
        "SELECT first_day, amount, occurred_at FROM renewer.ledger_entry "
        "WHERE kind = 'renewal'"
    )
    assert [tuple(row.values()) for row in rows] == [
        (date(2016, month, 19), 60, utc(f"2016-0{month}-19")) for month in (5, 6, 7)
    ]
    assert renew(database, "2016-08-25").counts.renewed == 1
    assert violations(conn) == []


def test_boundaries_before_the_range_alone_are_left_to_the_next_pass(
    database: str, conn: Database
) -> None:
    """And what has not come yet is not posted."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,,,2"], "2016-05-14")
    assert repair(database, "2016-05-25", date(2016, 6, 1)).counts.due == 0
    assert statement(conn, "ana") == [("opening", 2, 2)]


def test_a_member_far_behind_keeps_what_is_made_up_for_to_the_current_cycle(
    database: str, conn: Database
) -> None:
    """
    The boundaries still to be posted lie before today: they do not touch what was
    issued today.
    """
    missed(database, conn)
    repair(database, "2016-10-25", date(2016, 5, 1), date(2016, 7, 31))
    renew(database, "2016-10-25")
    assert statement(conn, "ana")[-1] == ("renewal", 60, 240)
    renew(database, "2016-11-19")
    assert statement(conn, "ana")[-1] == ("renewal", 60, 60)
    assert violations(conn) == []


def test_rules_corrected_since_bring_the_difference_once(
    database: str, conn: Database
) -> None:
    """By the allowance on record now; a plan that shrank takes nothing back."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19", "ben,plus,2016-04-19"], "2016-05-14")
    renew(database, "2016-06-20")
    plan_files.record_plans(
        conn,
        [
            Revision("basic", date(2016, 6, 1), 75, 0),
            Revision("plus", date(2016, 6, 1), 10, 0),
        ],
    )
    assert repair(database, "2016-06-25").counts.late == 1
    assert [row[:2] for row in late(conn)] == [(date(2016, 6, 19), 15)]
    plan_files.record_plans(conn, [Revision("basic", date(2016, 6, 2), 80, 0)])
    assert repair(database, "2016-06-26").counts.due == 0


def test_only_cycles_of_the_plan_are_repaired(database: str, conn: Database) -> None:
    """An unknown plan is refused."""
    missed(database, conn, "ben,plus,2016-04-19")
    assert repair(database, "2016-08-25", plan="plus").counts.late == 1
    assert late(conn) == []
    with pytest.raises(
        InputError, match="unknown plan 'gold': the plans are agency-plus, basic, plus"
    ):
        repair(database, "2016-08-25", plan="gold")


def suspended_in_june(database: str, conn: Database) -> None:
    """Bring ana in, who was suspended from June 1 to June 25."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19"], "2016-05-14")
    renew(database, "2016-05-20")
    for status, day in (("suspended", 1), ("active", 25)):
        conn.execute(
            "SELECT renewer.set_status('ana', %s, %s, %s)",
            [status, status, utc(f"2016-06-{day:02}")],
        )
    renew(database, "2016-06-26")
    assert statement(conn, "ana")[-2:] == [("expiry", -60, 0), ("renewal", 0, 0)]


def test_a_suspension_is_made_up_for_only_when_the_member_is_named(
    database: str, conn: Database
) -> None:
    """It was right unless a person says it was a mistake."""
    suspended_in_june(database, conn)
    assert repair(database, "2016-06-27").counts.due == 0
    assert repair(database, "2016-06-27", members=["ana"]).counts.late == 1
    assert [row[:2] for row in late(conn)] == [(date(2016, 6, 19), 60)]
    assert violations(conn) == []


@pytest.mark.parametrize("status", ["suspended", "under_review", "closed"])
@pytest.mark.parametrize("applied", [True, False])
def test_who_is_not_active_now_gets_nothing(
    database: str, conn: Database, status: str, applied: bool
) -> None:
    """Named or not, and whether or not a pass has applied the change already."""
    missed(database, conn)
    conn.execute(
        "SELECT renewer.set_status('ana', %s, 'r', %s)", [status, utc("2016-08-22")]
    )
    if applied:
        renew(database, "2016-08-23")
    before = statement(conn, "ana")
    assert repair(database, "2016-10-25").counts.due == 0
    assert repair(database, "2016-10-25", members=["ana"]).counts.due == 0
    assert statement(conn, "ana") == before


def test_a_change_of_plan_in_mid_cycle_is_no_gap(database: str, conn: Database) -> None:
    """Its renewal is what was left of the old cycle: nothing is owed."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19"], "2016-05-14")
    renew(database, "2016-05-20")
    conn.execute(
        "SELECT renewer.change_plan('ana', 'plus', 'now', 'r', %s)", [utc("2016-05-29")]
    )
    renew(database, "2016-05-30")
    assert statement(conn, "ana")[-1] == ("renewal", 70 - 60 + 60 * 10 // 31, 60 + 29)
    assert repair(database, "2016-06-02", members=["ana"]).counts.due == 0


def test_a_dry_run_writes_nothing(database: str, conn: Database) -> None:
    """Not even a run."""
    missed(database, conn)
    before, runs = (
        statement(conn, "ana"),
        conn.execute("SELECT count(*) FROM renewer.run").fetchone(),
    )
    outcome = repair(database, "2016-08-25", dry_run=True)
    assert (outcome.run_id, outcome.counts.late, outcome.counts.entries) == (None, 1, 3)
    assert statement(conn, "ana") == before
    assert conn.execute("SELECT count(*) FROM renewer.run").fetchone() == runs


def test_a_parked_member_is_left_alone_unless_named(
    database: str, conn: Database
) -> None:
    """A person set them aside."""
    missed(database, conn)
    conn.execute(
        "INSERT INTO renewer.failure (member_id, code, message) "
        "VALUES ('ana', 'x', 'y');"
        "UPDATE renewer.member SET parked = true WHERE member_id = 'ana'"
    )
    assert repair(database, "2016-08-25").counts.due == 0
    assert repair(database, "2016-08-25", members=["ana"]).counts.late == 1


def test_one_bad_member_delays_nobody(database: str, conn: Database) -> None:
    """It is recorded with its error; the others are repaired."""
    missed(database, conn, "bad,basic,2016-04-19", "zoe,basic,2016-04-19")
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'bad'")
    outcome = repair(database, "2016-08-25")
    assert (outcome.counts.due, outcome.counts.late, outcome.counts.failed) == (3, 2, 1)
    assert outcome.failures == (
        ("bad", "unknown plan 'gold': load it with `renewer plans load`"),
    )


def test_two_at_once_and_the_hourly_job_award_once(
    database: str, conn: Database
) -> None:
    """Whoever comes second finds nothing left to do; nobody fails."""
    load_plans(conn)
    names = [f"m{number}" for number in range(60)]
    bring_in(conn, [f"{name},basic,2016-04-19" for name in names], "2016-05-14")
    renew(database, "2016-08-20", catch_up=CatchUp.LATEST)
    outcomes: list[PassReport] = []
    jobs = [partial(repair, database, "2016-10-25")] * 3 + [
        partial(renew, database, "2016-10-25", batch_size=3)
    ]
    threads = [
        threading.Thread(target=lambda job=job: outcomes.append(job())) for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.counts.failed for outcome in outcomes] == [0, 0, 0, 0]
    repair(database, "2016-10-25")
    for name in names:
        assert [row[1] for row in late(conn, name)] == [60, 60, 60]
    assert violations(conn) == []


@pytest.mark.one_server("it calls for members of a table")
def test_a_used_up_lot_is_credited_after_a_backfill(
    database: str, conn: Database
) -> None:
    """
    The credit of a day's second change of plan goes into the lot of the day's renewal,
    which holds nothing now.
    """
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,,,2"], "2016-05-14")
    renew(database, "2016-08-19", catch_up=CatchUp.LATEST)
    for number, plan in enumerate(("plus", "agency-plus")):
        conn.execute(
            "SELECT renewer.spend('ana', balance, %s, %s) FROM renewer.member",
            [f"s{number}", utc("2016-08-19")],
        )
        conn.execute(
            "SELECT renewer.change_plan('ana', %s, 'now', %s, %s)",
            [plan, plan, utc("2016-08-19T01:00")],
        )
        if number:
            repair(database, "2016-08-19T02:00")
        assert renew(database, "2016-08-19T02:00").counts.failed == 0
    rows = conn.execute(
        "SELECT lot, amount FROM renewer.ledger_entry "
        "WHERE kind IN ('renewal', 'adjustment') AND lot > 0"
    )
    assert [tuple(row.values()) for row in rows] == [(2, 60), (2, 10), (2, 10)]
    assert violations(conn) == []
