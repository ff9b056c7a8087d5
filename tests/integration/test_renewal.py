"""A pass on a real database."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from renewer.errors import InputError
from renewer.jobs import poster, renewal
from renewer.jobs.counts import Counts
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.rules.ledger import CatchUp
from renewer.store import batches
from renewer.store.batches import lease_bucket
from renewer.store.connection import Database, connect
from renewer.store.members import count_due, find_due_buckets
from renewer.store.queries import query
from renewer.store.revisions import add_plan
from tests.support import (
    BASIC,
    bring_in,
    counted,
    ledger,
    load_plans,
    renew,
    statement,
    utc,
    violations,
)

PLANS = ("basic", "plus", "agency-plus")
ZONES = ("UTC", "America/Sao_Paulo", "Asia/Tokyo", "America/Havana", "Europe/Berlin")
STATUSES = ("active", "active", "active", "suspended", "under_review")


def crowd_lines() -> list[str]:
    """Return a hundred members: four of each of STATUSES in each of ZONES."""
    lines: list[str] = []
    for zone in ZONES:
        for status in STATUSES:
            for _ in range(4):
                n = len(lines)
                plan = PLANS[n % 3]
                anchor_on = date(2012 + n % 4, 1 + n % 12, 1 + n * 7 % 28)
                balance = n * 13 % 230
                lines.append(f"m{n},{plan},{anchor_on},{zone},{status},{balance}")
    return lines


CROWD = crowd_lines()


@pytest.fixture
def crowd(conn: Database) -> Database:
    """
    A hundred members of three plans, five zones and three statuses, brought in on March
    1, 2016.
    """
    load_plans(conn)
    bring_in(conn, CROWD, "2016-03-01T00:00")
    return conn


def test_a_pass_posts_what_is_due_and_a_second_nothing(
    database: str, conn: Database
) -> None:
    """
    The thread's member is renewed once, on the day after the last day of their cycle.
    """
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    assert renew(database, "2016-05-18T23:00").counts.as_dict() == counted()
    assert renew(database, "2016-05-19T00:00").counts.as_dict() == counted(
        due=1, renewed=1, entries=2
    )
    assert renew(database, "2016-05-19T01:00").counts.as_dict() == counted()
    assert statement(conn, "ana") == [
        ("opening", 2, 2),
        ("expiry", -2, 0),
        ("renewal", 60, 60),
    ]
    assert violations(conn) == []


@pytest.mark.gate
@pytest.mark.one_server("hundreds of passes take too long there")
def test_an_hourly_walk_equals_one_pass_at_the_end(
    database: str, crowd: Database, pytestconfig: pytest.Config
) -> None:
    """
    The hour of passes does not matter: ten days about a month's end; with --long three
    months.

    But for posted_at and run, the ledgers are the same.
    """
    days, awards = (93, 210) if pytestconfig.getoption("--long") else (10, 70)
    first = utc("2016-03-25T00:00")
    hours = [first + timedelta(hours=hour) for hour in range(days * 24 + 1)]
    renewed = 0
    for as_of in hours:
        renewed += renew(database, as_of.isoformat()[:19], threads=1).counts.renewed
    assert renewed > awards
    walked = ledger(crowd)
    assert violations(crowd) == []
    crowd.execute("TRUNCATE renewer.member, renewer.lot, renewer.ledger_entry")
    bring_in(crowd, CROWD, "2016-03-01T00:00")
    renew(database, hours[-1].isoformat()[:19])
    assert ledger(crowd) == walked


def renew_beside_others(database: str, barrier: threading.Barrier) -> Counts:
    """Run a pass that waits after its first batch until each of the others did one."""
    first = threading.Event()

    def progress(_: int) -> None:
        if not first.is_set():
            first.set()
            barrier.wait(60)

    return renew(database, "2016-09-01T00:00", batch_size=2, progress=progress).counts


def test_passes_at_once_share_the_work(database: str, crowd: Database) -> None:
    """Each of four does some; every boundary is posted once, without an error."""
    barrier = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        pending = [
            pool.submit(renew_beside_others, database, barrier) for _ in range(4)
        ]
        outcomes = [future.result() for future in pending]
    assert [counts.renewed > 0 for counts in outcomes] == [True] * 4
    assert sum(counts.renewed for counts in outcomes) == 80
    assert sum(counts.due for counts in outcomes) == 80
    assert all(counts.failed == counts.skipped == 0 for counts in outcomes)
    assert violations(crowd) == []
    together = ledger(crowd)
    crowd.execute("TRUNCATE renewer.member, renewer.lot, renewer.ledger_entry")
    bring_in(crowd, CROWD, "2016-03-01T00:00")
    renew(database, "2016-09-01T00:00")
    assert ledger(crowd) == together


def test_a_bucket_that_another_process_holds_is_waited_for(
    database: str, crowd: Database
) -> None:
    """
    While its lease is taken nobody else posts there.

    When its holder leaves, the pass goes on.
    """
    with connect(database) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            for bucket in find_due_buckets(crowd, utc("2016-09-01T00:00")):
                assert lease_bucket(other, bucket)
            pending = pool.submit(renew, database, "2016-09-01T00:00")
            with pytest.raises(TimeoutError):
                pending.result(timeout=0.3)
            assert (
                crowd.execute(
                    "SELECT 1 FROM renewer.ledger_entry WHERE kind = 'renewal'"
                ).fetchone()
                is None
            )
        assert pending.result(timeout=30).counts.renewed == 80


def test_a_member_who_fails_delays_nobody_and_is_tried_again(
    database: str, conn: Database
) -> None:
    """
    The failure is on record with its error and next try.

    Once the plan is mended the next pass renews them.
    """
    load_plans(conn)
    bring_in(conn, ["bad,basic,2016-04-19", "good,plus,2016-04-19"], "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'bad'")
    outcome = renew(database, "2016-05-19T00:00")
    assert outcome.counts.as_dict() == counted(due=2, renewed=1, failed=1, entries=1)
    assert outcome.failures == (
        ("bad", "unknown plan 'gold': load it with `renewer plans load`"),
    )
    assert renew(database, "2016-05-19T00:30").counts.as_dict() == counted()
    assert renew(database, "2016-05-19T01:00").counts.failed == 1
    row = conn.execute(
        "SELECT code, attempts, retry_at "
        "FROM renewer.failure JOIN renewer.member USING (member_id)"
    ).fetchone()
    assert row == {
        "code": "PlanError",
        "attempts": 2,
        "retry_at": utc("2016-05-19T02:40"),
    }
    conn.execute("UPDATE renewer.member SET plan = 'basic' WHERE member_id = 'bad'")
    assert renew(database, "2016-05-19T03:00").counts.renewed == 1
    assert conn.execute("SELECT 1 FROM renewer.failure").fetchone() is None
    assert statement(conn, "bad") == [("renewal", 60, 60)]


def test_a_named_member_is_tried_again_at_once(database: str, conn: Database) -> None:
    """`run --member` does not wait for the next try; others are left alone."""
    load_plans(conn)
    bring_in(conn, ["bad,basic,2016-04-19", "good,plus,2016-04-19"], "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'bad'")
    assert renew(database, "2016-05-19T00:00", members=["bad"]).counts.failed == 1
    conn.execute("UPDATE renewer.member SET plan = 'basic' WHERE member_id = 'bad'")
    assert renew(
        database, "2016-05-19T00:01", members=["bad"]
    ).counts.as_dict() == counted(due=1, renewed=1, entries=1)
    assert statement(conn, "good") == []
    with pytest.raises(InputError, match="unknown member 'nobody'"):
        renew(database, "2016-05-19T00:00", members=["good", "nobody"])
    assert statement(conn, "good") == []


def test_what_the_database_refuses_is_that_members_failure(
    database: str, conn: Database
) -> None:
    """
    An error inside the posting procedure undoes that member alone and is recorded with
    its SQLSTATE.
    """
    load_plans(conn)
    bring_in(
        conn,
        ["bad,basic,2016-04-19,UTC,active,2", "good,basic,2016-04-19,UTC,active,2"],
        "2016-05-01",
    )
    before = conn.execute(
        "SELECT * FROM renewer.lot WHERE member_id = 'bad'"
    ).fetchall()
    conn.execute(
        "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, "
        "balance_after, lot, first_day, last_day, anchor_on, cycle_n, occurred_at) "
        "VALUES ('bad', 9, 'renewal', 60, 60, 1, '2016-05-19', '2016-06-18', "
        "'2016-04-19', 1, now())"
    )
    assert renew(database, "2016-05-19T00:00").counts.as_dict() == counted(
        due=2, renewed=1, failed=1, entries=2
    )
    assert conn.execute("SELECT code FROM renewer.failure").fetchall() == [
        {"code": "23505"}
    ]
    assert (
        conn.execute("SELECT * FROM renewer.lot WHERE member_id = 'bad'").fetchall()
        == before
    )


def test_a_member_somebody_holds_stays_due_and_is_skipped(
    database: str, conn: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A row that stays locked is no failure: it is counted, and the next pass renews the
    member.
    """
    monkeypatch.setattr(poster, "RETRY_BUDGET_S", 0.5)
    load_plans(conn)
    bring_in(conn, ["held,basic,2016-04-19", "free,basic,2016-04-19"], "2016-05-01")
    with connect(database) as other, other.transaction():
        other.execute(
            "SELECT 1 FROM renewer.member WHERE member_id = 'held' FOR UPDATE"
        )
        report = renew(database, "2016-05-19T00:00")
    taken_up = counted(due=2, renewed=1, skipped=1, entries=1)
    assert (report.counts.as_dict(), report.left) == (taken_up, 1)
    assert conn.execute("SELECT 1 FROM renewer.failure").fetchone() is None
    report = renew(database, "2016-05-19T00:00")
    taken_up = counted(due=1, renewed=1, entries=1)
    assert (report.counts.as_dict(), report.left) == (taken_up, 0)


class Meddler:
    """
    Changes a member between the moment a pass reads them and the moment it posts them.
    """

    def __init__(self, database: str, times: int) -> None:
        self.conn = psycopg.connect(database, autocommit=True)
        self.times = times

    def __call__(self) -> None:
        if self.times:
            self.times -= 1
            self.conn.execute(
                "UPDATE renewer.member SET version = version + 1, "
                "balance = balance - 1, last_seq = last_seq + 1;"
                "UPDATE renewer.lot SET remaining = remaining - 1;"
                "INSERT INTO renewer.ledger_entry "
                "(member_id, seq, kind, amount, balance_after, lot, occurred_at) "
                "SELECT member_id, last_seq, 'spend', -1, balance, 1, '2016-05-18' "
                "FROM renewer.member"
            )


@pytest.mark.parametrize("times", [1, 2, 3, 10])
def test_a_member_who_changes_meanwhile_is_planned_again(
    database: str, conn: Database, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """
    However often they spend between reading and posting, no spend is lost and the
    boundary is posted once.
    """
    load_plans(conn)
    bring_in(conn, ["busy,plus,2016-04-19,UTC,active,50"], "2016-05-01")
    meddler = Meddler(database, times)
    post_batch = batches.post_batch

    def meddle_and_post(*arguments: object) -> object:
        meddler()
        return post_batch(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(batches, "post_batch", meddle_and_post)
    assert renew(database, "2016-05-19T00:00").counts.renewed == 1
    spent = min(times, poster.OPTIMISTIC_ATTEMPTS)
    assert [row for row in statement(conn, "busy") if row[0] == "spend"] == [
        ("spend", -1, 49 - i) for i in range(spent)
    ]
    assert statement(conn, "busy")[-1] == ("renewal", 70, 120 - spent)
    assert violations(conn) == []
    meddler.conn.close()


def test_a_dry_run_counts_and_writes_nothing(database: str, crowd: Database) -> None:
    """Its counts are those of the pass that follows."""
    before = ledger(crowd)
    rehearsed = renew(database, "2016-04-15T00:00", dry_run=True)
    assert ledger(crowd) == before
    assert crowd.execute("SELECT 1 FROM renewer.run").fetchone() is None
    assert rehearsed.run_id is None
    assert renew(database, "2016-04-15T00:00").counts == rehearsed.counts


def test_catch_up_latest_posts_the_earlier_ones_as_zero(
    database: str, conn: Database
) -> None:
    """Every boundary is on record, and only the last is awarded."""
    load_plans(conn)
    bring_in(conn, ["m,plus,2016-04-19"], "2016-05-01")
    renew(database, "2016-07-20T00:00", catch_up=CatchUp.LATEST)
    assert statement(conn, "m") == [
        ("renewal", 0, 0),
        ("renewal", 0, 0),
        ("renewal", 70, 70),
    ]
    assert violations(conn) == []


def test_a_stopped_pass_finishes_its_batch_and_says_so(
    database: str, crowd: Database
) -> None:
    """What is left is due, and the next pass posts it."""
    stop = threading.Event()
    first = renew(
        database,
        "2016-09-01T00:00",
        stop=stop,
        threads=1,
        batch_size=1,
        progress=lambda _: stop.set(),
    )
    assert first.stopped
    assert first.counts.renewed == 1
    assert crowd.execute("SELECT stopped, renewed FROM renewer.run").fetchall() == [
        {"stopped": True, "renewed": 1}
    ]
    assert renew(database, "2016-09-01T00:00").counts.renewed == 79


def test_a_run_is_on_record_with_its_counts(database: str, crowd: Database) -> None:
    """Each entry names the run that posted it."""
    outcome = renew(database, "2016-09-01T00:00", trigger="schedule")
    row = crowd.execute("SELECT * FROM renewer.run").fetchone()
    assert row is not None
    assert {
        name: row[name] for name in outcome.counts.as_dict()
    } == outcome.counts.as_dict()
    assert row["finished_at"] >= row["started_at"]
    posted = crowd.execute(
        "SELECT count(*) AS n FROM renewer.ledger_entry WHERE run_id = %s",
        [outcome.run_id],
    )
    assert posted.fetchone() == {"n": outcome.counts.entries}


MANY = """
    INSERT INTO renewer.member
        (member_id, plan, anchor_on, cycle_n, cycle_first_day, cycle_last_day,
         first_boundary_on, renews_at, balance, last_lot)
    SELECT 'm' || n, 'basic', '2016-03-19', 0, '2016-03-19', '2016-04-18',
           '2016-04-19',
           '2016-04-01Z'::timestamptz + n * interval '1 hour', 60, 10
    FROM generate_series(1, 5000) AS n;

    INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at)
    SELECT 'm' || n, number, 'allowance', CASE number WHEN 10 THEN 60 ELSE 0 END,
           '2016-03-19Z'
    FROM generate_series(1, 5000) AS n, generate_series(1, 10) AS number;

    ANALYZE renewer.member, renewer.lot
"""
"""Members due an hour after each other; nine of their ten lots are used up."""


def find_nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a plan and all that stands below it."""
    nodes = [plan]
    for child in plan.get("Plans", ()):
        nodes += find_nodes(child)
    return nodes


@pytest.mark.one_server("its plan is told in another way")
def test_selecting_the_due_reads_an_index(conn: Database) -> None:
    """Neither members who are not due nor lots are scanned, with real statistics."""
    for each in MANY.split(";"):
        conn.execute(each)
    parameters = {
        "bucket": 1,
        "as_of": utc("2016-04-08T00:00"),
        "retry_until": utc("2016-04-08T00:00"),
        "after_due_at": utc("2000-01-01T00:00"),
        "after_member_id": "",
        "limit": 500,
    }
    explained = conn.execute(
        "EXPLAIN (FORMAT JSON) " + query("members/find_due_members"), parameters
    ).fetchone()
    assert explained is not None
    nodes = find_nodes(explained["QUERY PLAN"][0]["Plan"])
    scanned = {
        node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"
    }
    assert scanned & {"member", "lot"} == set()
    assert {"member_due_idx", "lot_open_idx"} <= {
        node.get("Index Name") for node in nodes
    }


def test_who_is_due_is_counted_in_every_bucket(conn: Database) -> None:
    """The count names all 64 of them, so that it uses the index."""
    load_plans(conn)
    lines = [f"m{n},basic,2016-04-19,UTC,active,0" for n in range(500)]
    bring_in(conn, lines, "2016-05-01T00:00")
    row = conn.execute(
        "SELECT count(DISTINCT bucket) AS buckets FROM renewer.member"
    ).fetchone()
    assert row == {"buckets": 64}
    as_of = utc("2016-05-19T00:00")
    assert count_due(conn, as_of, None) == 500


def test_each_retry_waits_twice_as_long_up_to_a_day() -> None:
    """The first, after 50 minutes, comes with the next hourly pass."""
    as_of = utc("2016-05-19T00:00")
    waits = [poster.back_off(as_of, attempts) - as_of for attempts in range(12)]
    minutes = [50, 100, 200, 400, 800, *[24 * 60] * 7]
    assert waits == [timedelta(minutes=each) for each in minutes]


def test_the_clock_of_a_pass_is_its_as_of(database: str, conn: Database) -> None:
    """A member whose cycle ends a second later is left alone."""
    add_plan(conn, BASIC)
    bring_in(conn, ["m,basic,2016-04-19,Asia/Tokyo"], "2016-05-01")
    boundary = utc("2016-05-18T15:00")
    for as_of, renewed in ((boundary - timedelta(seconds=1), 0), (boundary, 1)):
        outcome = renewal.renew_due(
            partial(connect, database), PassRequest(as_of, PassOptions())
        )
        assert outcome.counts.renewed == renewed
