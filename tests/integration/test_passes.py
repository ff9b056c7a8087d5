"""A pass beside others: members who change meanwhile, fail, are named or set aside."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from psycopg.pq import TransactionStatus

from renewer.jobs import failures, plan_files, poster
from renewer.jobs.poster import BatchPoster, LockRetry, Planner
from renewer.jobs.recorder import SILENT, RunningPass, RunRecorder
from renewer.jobs.renewal import renewal_planner
from renewer.rules.ledger import CatchUp, Member
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Posting
from renewer.store.batches import Unplanned
from renewer.store.connection import Database, connect, read_clock
from renewer.store.members import find_members
from renewer.store.revisions import add_plan, find_plans
from renewer.store.runs import find_runs, start_run
from tests.support import (
    EPOCH,
    bring_in,
    counted,
    find_neighbours,
    load_plans,
    renew,
    statement,
    utc,
    violations,
)

AS_OF = "2016-05-19T00:00"
GOLD = Revision("gold", EPOCH, 100, 0)


def run_pass(conn: Database, planner: Planner, names: Sequence[str]) -> dict[str, int]:
    """Run a pass over *names* whose postings *planner* decides."""
    as_of = utc(AS_OF)
    run_id = start_run(conn, "manual", CatchUp.EACH, as_of)
    stop, recorder = threading.Event(), RunRecorder(run_id, as_of, SILENT)
    posting = BatchPoster(planner, run_id, as_of, LockRetry(stop))
    running = RunningPass(as_of, posting, recorder, stop)
    recorder.skip(len(running.post(conn, find_members(conn, names))))
    return recorder.finish(conn, stopped=False).counts.as_dict()


class Meddled:
    """
    Plans as a pass does; after each planning *meddlers* has its turn, one a time.

    *locked* tells of each planning whether a transaction was open.
    """

    def __init__(self, plans: Plans, meddlers: Sequence[Callable[[], object]]) -> None:
        self._planner = renewal_planner(plans, utc(AS_OF), CatchUp.EACH)
        self._meddlers = iter(meddlers)
        self.locked: list[bool] = []

    def __call__(
        self, conn: Database, members: Sequence[Member]
    ) -> list[Posting | Unplanned]:
        self.locked.append(conn.info.transaction_status == TransactionStatus.INTRANS)
        planned = list(self._planner(conn, members))
        for meddle in self._meddlers:
            meddle()
            break
        return planned


def find_facts(conn: Database) -> list[dict[str, object]]:
    """Return who waits for another try, or for a person."""
    return conn.execute(
        "SELECT member_id, retry_at, parked FROM renewer.member "
        "WHERE retry_at IS NOT NULL OR parked ORDER BY member_id"
    ).fetchall()


def find_failures(conn: Database) -> list[dict[str, object]]:
    """Return who has a failure on record, and its code."""
    return conn.execute(
        "SELECT member_id, code FROM renewer.failure ORDER BY member_id"
    ).fetchall()


@pytest.mark.parametrize("status", ["active", "under_review"])
def test_a_failure_of_a_version_that_is_gone_is_not_recorded(
    database: str, conn: Database, status: str
) -> None:
    """
    A pass read its plans before one was loaded that another pass then applied.

    Its "unknown plan" is of a member who is no more: they are renewed as ever, also
    when the other pass put them under review, where a failure would hide them.
    """
    load_plans(conn)
    bring_in(conn, ["m,basic,2016-04-19"], "2016-05-01")
    read_before = Plans(find_plans(conn))
    add_plan(conn, GOLD)
    conn.execute(
        "SELECT renewer.change_plan('m', 'gold', 'next_cycle', 'c', '2016-05-02Z')"
    )

    def apply_the_change() -> None:
        with connect(database) as other:
            other.execute(
                "SELECT renewer.set_status('m', %s, 's', '2016-05-19Z')", [status]
            )
        assert renew(database, AS_OF).counts.renewed == 1

    planner = Meddled(read_before, [apply_the_change])
    assert run_pass(conn, planner, ["m"]) == counted(due=1, skipped=1)
    assert find_failures(conn) == []
    assert find_facts(conn) == []
    conn.execute("SELECT renewer.set_status('m', 'active', 'a', '2016-06-01Z')")
    assert renew(database, "2016-06-19T00:00").counts.renewed == 1
    assert statement(conn, "m") == [
        ("renewal", 100, 100),
        ("expiry", -100, 0),
        ("renewal", 100, 100),
    ]
    assert violations(conn) == []


def test_a_value_sql_cannot_read_fails_its_member_alone(
    database: str, conn: Database
) -> None:
    """The others of the batch are posted; so is the bad one, once it can be read."""
    load_plans(conn)
    first, bad, last = names = find_neighbours(conn, 3)
    bring_in(conn, [f"{name},basic,2016-04-19" for name in names], "2016-05-01")
    plan = renewal_planner(Plans(find_plans(conn)), utc(AS_OF), CatchUp.EACH)

    def spoil(
        conn: Database, members: Sequence[Member]
    ) -> Iterator[Posting | Unplanned]:
        for item in plan(conn, members):
            assert isinstance(item, Posting)
            entries = item.entries
            if item.before.member_id == bad:
                entries = tuple(replace(entry, reason="\x00") for entry in entries)
            yield replace(item, entries=entries)

    assert run_pass(conn, spoil, names) == counted(
        due=3, renewed=2, failed=1, entries=2
    )
    assert find_failures(conn) == [{"member_id": bad, "code": "22P05"}]
    assert find_facts(conn) == [
        {"member_id": bad, "retry_at": utc("2016-05-19T00:50"), "parked": False}
    ]
    awarded = [("renewal", 60, 60)]
    assert [statement(conn, name) for name in names] == [awarded, [], awarded]
    assert renew(database, "2016-05-19T01:00").counts.as_dict() == counted(
        due=1, renewed=1, entries=1
    )
    assert find_failures(conn) == find_facts(conn) == []
    assert [statement(conn, name) for name in (first, bad, last)] == [awarded] * 3
    assert violations(conn) == []


@pytest.fixture
def other(database: str) -> Iterator[Database]:
    """A connection of somebody else."""
    with connect(database) as opened:
        yield opened


def spend(conn: Database, reference: str) -> None:
    conn.execute("SELECT renewer.spend('m', 1, %s, '2016-05-18Z')", [reference])


def test_a_failure_names_a_constraint_as_the_schema_does(
    database: str, conn: Database
) -> None:
    """Also where the row is in a shard, whose number is behind the name."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    conn.execute(
        "INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at) "
        "VALUES ('ana', 2, 'bonus', 0, '2016-05-14')"
    )
    assert renew(database, AS_OF).counts.as_dict() == counted(due=1, failed=1)
    failed = conn.execute("SELECT code, message FROM renewer.failure").fetchone()
    assert failed == {
        "code": "23505",
        "message": 'duplicate key value violates unique constraint "lot_pkey"',
    }


def test_a_member_who_never_holds_still_is_posted_under_a_lock(
    conn: Database, other: Database
) -> None:
    """After three conflicts they are locked, planned anew and posted once."""
    load_plans(conn)
    bring_in(conn, ["m,plus,2016-04-19,UTC,active,50"], "2016-05-01")
    planner = Meddled(
        Plans(find_plans(conn)),
        [
            lambda: spend(other, "first"),
            lambda: spend(other, "second"),
            lambda: spend(other, "third"),
        ],
    )
    assert run_pass(conn, planner, ["m"]) == counted(due=1, renewed=1, entries=3)
    assert planner.locked == [False, False, False, True]
    assert statement(conn, "m") == [
        ("opening", 50, 50),
        ("spend", -1, 49),
        ("spend", -1, 48),
        ("spend", -1, 47),
        ("rollover", -47, 0),
        ("rollover", 47, 47),
        ("renewal", 70, 117),
    ]
    assert violations(conn) == []


def test_a_locked_member_with_nothing_left_to_do_is_skipped(
    database: str, conn: Database, other: Database
) -> None:
    """Another pass renewed them after the third conflict: nobody counts them twice."""
    load_plans(conn)
    bring_in(conn, ["m,basic,2016-04-19,UTC,active,50"], "2016-05-01")
    planner = Meddled(
        Plans(find_plans(conn)),
        [
            lambda: spend(other, "first"),
            lambda: spend(other, "second"),
            lambda: renew(database, AS_OF),
        ],
    )
    assert run_pass(conn, planner, ["m"]) == counted(due=1, skipped=1)
    assert planner.locked == [False, False, False, True]
    assert statement(conn, "m")[-2:] == [("expiry", -48, 0), ("renewal", 60, 60)]
    assert violations(conn) == []


@pytest.mark.one_server("it locks rows of all members in one statement")
def test_a_member_who_stays_busy_under_the_lock_is_skipped(
    database: str,
    conn: Database,
    other: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are neither renewed nor failed, and still due: the next pass renews them."""
    monkeypatch.setattr(poster, "LOCK_TIMEOUT_S", 0.05)
    load_plans(conn)
    bring_in(conn, ["m,basic,2016-04-19,UTC,active,50"], "2016-05-01")
    planner = Meddled(
        Plans(find_plans(conn)),
        [
            lambda: spend(other, "first"),
            lambda: spend(other, "second"),
            lambda: other.execute("BEGIN; SELECT FROM renewer.member FOR UPDATE"),
        ],
    )
    assert run_pass(conn, planner, ["m"]) == counted(due=1, skipped=1)
    assert planner.locked == [False, False, False]
    other.execute("ROLLBACK")
    assert find_failures(conn) == find_facts(conn) == []
    assert renew(database, AS_OF).counts.as_dict() == counted(
        due=1, renewed=1, entries=2
    )
    assert violations(conn) == []


def set_plan(conn: Database, member_id: str, plan: str) -> None:
    conn.execute(
        "UPDATE renewer.member SET plan = %s WHERE member_id = %s", [plan, member_id]
    )


def test_loading_a_plan_lets_those_who_lacked_it_be_tried_at_once(
    database: str, conn: Database
) -> None:
    """Who was set aside stays there, and who lacks another plan waits as before."""
    load_plans(conn)
    names = ["aside", "lacking", "other"]
    bring_in(conn, [f"{name},basic,2016-04-19" for name in names], "2016-05-01")
    for name, plan in (("aside", "gold"), ("lacking", "gold"), ("other", "silver")):
        set_plan(conn, name, plan)
    # The back-off counts from the earlier of as_of and the clock: it is ahead of now.
    now = read_clock(conn).isoformat()[:19]
    assert renew(database, now).counts.as_dict() == counted(due=3, failed=3)
    failures.park(conn, "aside")
    waits: dict[str, datetime] = {
        row["member_id"]: row["retry_at"] for row in find_facts(conn)
    }
    assert plan_files.record_plans(conn, [GOLD]) == [GOLD]
    rows = conn.execute(
        "SELECT member_id, retry_at, retry_at <= now() AS at_once, parked "
        "FROM renewer.member ORDER BY member_id"
    ).fetchall()
    tried_at = rows[1]["retry_at"]
    assert [tuple(row.values()) for row in rows] == [
        ("aside", waits["aside"], False, True),
        ("lacking", tried_at, True, False),
        ("other", waits["other"], False, False),
    ]
    tried = renew(database, read_clock(conn).isoformat()[:26]).counts
    assert (tried.due, tried.renewed, tried.failed) == (1, 1, 0)
    assert statement(conn, "lacking")[0] == ("renewal", 100, 100)
    assert statement(conn, "aside") == statement(conn, "other") == []
    assert violations(conn) == []


def test_a_named_member_does_not_wait_but_stays_where_they_were_put(
    database: str, conn: Database
) -> None:
    """`run --member` ignores the time of the next try; not that one was set aside."""
    load_plans(conn)
    names = ["aside", "waiting"]
    bring_in(conn, [f"{name},basic,2016-04-19" for name in names], "2016-05-01")
    for name in names:
        set_plan(conn, name, "gold")
    assert renew(database, AS_OF).counts.as_dict() == counted(due=2, failed=2)
    failures.park(conn, "aside")
    for name in names:
        set_plan(conn, name, "basic")
    assert renew(database, "2016-05-19T00:01").counts.as_dict() == counted()
    assert renew(
        database, "2016-05-19T00:01", members=names
    ).counts.as_dict() == counted(due=1, renewed=1, entries=1)
    assert [statement(conn, name) for name in names] == [[], [("renewal", 60, 60)]]
    failures.retry(conn, "aside")
    assert renew(
        database, "2016-05-19T00:01", members=names
    ).counts.as_dict() == counted(due=1, renewed=1, entries=1)
    assert statement(conn, "aside") == [("renewal", 60, 60)]
    assert violations(conn) == []


@pytest.mark.parametrize("batch_size", [7, 500])
def test_named_members_of_many_buckets_are_each_posted(
    database: str, conn: Database, batch_size: int
) -> None:
    """A call of the procedure is for one bucket; names come from anywhere."""
    load_plans(conn)
    names = [f"m{n}" for n in range(40)]
    lines = [f"{name},basic,2016-04-19" for name in [*names, "unnamed"]]
    bring_in(conn, lines, "2016-05-01")
    buckets = conn.execute("SELECT DISTINCT bucket FROM renewer.member").fetchall()
    assert len(buckets) > 10
    done = renew(database, AS_OF, members=names, batch_size=batch_size)
    assert done.counts.as_dict() == counted(due=40, renewed=40, entries=40)
    assert [statement(conn, name) for name in names] == [[("renewal", 60, 60)]] * 40
    assert statement(conn, "unnamed") == []
    assert violations(conn) == []


def test_passes_that_share_a_run_add_their_counts_to_it(
    database: str, conn: Database
) -> None:
    """Neither knows what the other counted; each reports what it did itself."""
    load_plans(conn)
    bring_in(conn, [f"{name},basic,2016-04-19" for name in "abc"], "2016-05-01")
    run_id = start_run(conn, "manual", CatchUp.EACH, utc(AS_OF))
    reports = [
        renew(database, AS_OF, members=names, run_id=run_id)
        for names in (["a"], ["b", "c"])
    ]
    assert [report.counts.as_dict() for report in reports] == [
        counted(due=1, renewed=1, entries=1),
        counted(due=2, renewed=2, entries=2),
    ]
    (row,) = find_runs(conn, 2)
    expected = counted(due=3, renewed=3, entries=3)
    assert {name: row[name] for name in expected} == expected


def test_a_report_shows_a_hundred_failures_and_counts_all(
    database: str, conn: Database
) -> None:
    """The failures on record are complete."""
    load_plans(conn)
    names = [f"m{n}" for n in range(101)]
    bring_in(conn, [f"{name},basic,2016-04-19" for name in names], "2016-05-01")
    conn.execute("UPDATE renewer.member SET plan = 'gold'")
    report = renew(database, AS_OF)
    assert report.counts.as_dict() == counted(due=101, failed=101)
    assert (len(report.failures), len(find_failures(conn))) == (100, 101)
