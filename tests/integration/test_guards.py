"""
Guards that nothing else would miss: each test is red when one of them is dropped.

`python -m tests.mutations` drops them one by one and tells which test saw it.
"""

import re
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from renewer import store
from renewer.cli import output
from renewer.errors import DatabaseUnreachable, InputError
from renewer.jobs import importing, poster, scan
from renewer.jobs.pass_request import PassOptions
from renewer.jobs.poster import BatchPoster, LockRetry, Planner
from renewer.jobs.renewal import renewal_planner
from renewer.rules.ledger import CatchUp, Member
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Posting
from renewer.store import Outcome, Unplanned, Unposted, connection, migrations
from renewer.worker import schedule
from tests.support import (
    ROOT,
    bring_in,
    command,
    counted,
    load_plans,
    renew,
    signs,
    statement,
    utc,
    violations,
)

IMPORTED = "2016-05-01T00:00"
AS_OF = "2016-05-19T00:00"
POSTED = counted(due=1, renewed=1, entries=2)
"""What a pass does for the member below: their 40 expire and 60 come."""


@pytest.fixture
def m(conn: store.Database) -> store.Database:
    """
    A connection to a database with the plans of 2016 and one member of Basic, m, with
    40 Connects, whose cycle ends with May 18.
    """
    load_plans(conn)
    bring_in(conn, ["m,basic,2016-04-19,UTC,active,40"], IMPORTED)
    return conn


@pytest.fixture
def other(database: str) -> Iterator[store.Database]:
    """A connection of somebody else."""
    with store.connect(database) as opened:
        yield opened


def call(conn: store.Database, function: str, **arguments: Any) -> tuple[Any, ...]:
    """Call a function of the marketplace and return its row."""
    named = ", ".join(f"{name} => %({name})s" for name in arguments)
    row = conn.execute(
        f"SELECT * FROM renewer.{function}({named})", arguments
    ).fetchone()
    assert row is not None
    return tuple(row.values())


def refusal(conn: store.Database, function: str, **arguments: Any) -> tuple[str, str]:
    """Return SQLSTATE and message with which a function refuses a call."""
    with pytest.raises(psycopg.Error) as caught:
        call(conn, function, **arguments)
    return caught.value.sqlstate or "", caught.value.diag.message_primary or ""


def read_member(conn: store.Database, *columns: str) -> tuple[Any, ...]:
    """Return columns of member m."""
    row = conn.execute(
        f"SELECT {', '.join(columns)} FROM renewer.member WHERE member_id = 'm'"
    ).fetchone()
    assert row is not None
    return tuple(row.values())


def read_failures(conn: store.Database) -> list[dict[str, Any]]:
    """Return the failures on record."""
    return conn.execute(
        "SELECT member_id, code, attempts FROM renewer.failure"
    ).fetchall()


def read_lots(conn: store.Database) -> list[tuple[str, int]]:
    """Return source and remainder of the lots of member m."""
    rows = conn.execute(
        "SELECT source, remaining FROM renewer.lot "
        "WHERE member_id = 'm' ORDER BY number"
    )
    return [(row["source"], row["remaining"]) for row in rows]


def start_pass(conn: store.Database, planner: Planner | None = None) -> BatchPoster:
    """Begin a pass at the end of m's cycle; *planner* is not an ordinary one."""
    as_of = utc(AS_OF)
    plans = Plans(store.find_plans(conn))
    planner = planner or renewal_planner(plans, as_of, CatchUp.EACH)
    run_id = store.start_run(conn, "manual", CatchUp.EACH, as_of)
    return BatchPoster(planner, run_id, as_of, LockRetry(threading.Event()))


def post_once(conn: store.Database) -> list[str]:
    """Take up m once, as a pass does; return who was busy."""
    return start_pass(conn).post(conn, store.find_members(conn, ["m"])).locked


# 1. Busy members, versions and leases


def test_a_locked_member_is_passed_over_not_waited_for(
    m: store.Database, other: store.Database
) -> None:
    """Whoever holds the row may hold it for long: the pass says busy at once."""
    m.execute("SET statement_timeout = '3s'")
    other.execute("BEGIN; SELECT FROM renewer.member WHERE member_id = 'm' FOR UPDATE")
    assert post_once(m) == ["m"]
    other.execute("ROLLBACK")
    assert post_once(m) == []
    assert statement(m, "m")[1:] == [("expiry", -40, 0), ("renewal", 60, 60)]


@pytest.mark.one_server("a setting of a session reaches no node")
def test_a_lock_on_what_a_posting_writes_is_nobodys_failure(
    m: store.Database, other: store.Database
) -> None:
    """An administrator's lock_timeout ends the wait for a lot: the member is busy."""
    m.execute("SET lock_timeout = '50ms'")
    other.execute("BEGIN; SELECT FROM renewer.lot WHERE member_id = 'm' FOR UPDATE")
    assert post_once(m) == ["m"]
    assert read_failures(m) == []


def test_who_was_busy_is_looked_at_again_in_the_same_pass(
    database: str, m: store.Database, other: store.Database
) -> None:
    """The lock goes after the first look; the second renews them, counted once."""
    other.execute("BEGIN; SELECT FROM renewer.member WHERE member_id = 'm' FOR UPDATE")

    def let_go(_: int) -> None:
        other.execute("ROLLBACK")

    report = renew(database, AS_OF, progress=let_go)
    assert (report.counts.as_dict(), report.left) == (POSTED, 0)


def test_a_pass_ends_by_counting_who_is_still_due(
    database: str,
    m: store.Database,
    other: store.Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One who was busy to the end is skipped and left, and no failure."""
    monkeypatch.setattr(poster, "RETRY_BUDGET_S", 0.0)
    other.execute("BEGIN; SELECT FROM renewer.member WHERE member_id = 'm' FOR UPDATE")
    report = renew(database, AS_OF)
    assert (report.counts.as_dict(), report.left) == (counted(due=1, skipped=1), 1)
    other.execute("ROLLBACK")
    report = renew(database, AS_OF)
    assert (report.counts.as_dict(), report.left) == (POSTED, 0)


def test_leases_that_are_never_given_back_stop_nobody(
    database: str,
    m: store.Database,
    other: store.Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anybody may take an advisory lock: after a while a pass goes on without."""
    monkeypatch.setattr(scan, "LEASE_TIMEOUT_S", 0.0)
    with other.transaction():
        for bucket in range(64):
            assert store.lease_bucket(other, bucket)
        report = renew(database, AS_OF)
    assert (report.counts.as_dict(), report.left) == (POSTED, 0)


def test_a_failure_counts_once_for_the_version_that_was_planned(
    m: store.Database,
) -> None:
    """Of two passes that planned the same member, the second looks again."""
    (member,) = store.find_members(m, ["m"])
    run_id = store.start_run(m, "manual", CatchUp.EACH, utc(AS_OF))
    failed = Unplanned(member, "PlanError", "unknown plan")
    document = store.describe_failure(failed, utc("2016-05-19T00:50"))
    assert [store.post_batch(m, [document], run_id) for _ in range(2)] == [
        [Unposted("m", Outcome.FAILED, "PlanError", "unknown plan")],
        [Unposted("m", Outcome.CONFLICT, "PlanError", "unknown plan")],
    ]
    assert read_failures(m) == [{"member_id": "m", "code": "PlanError", "attempts": 1}]
    assert read_member(m, "version") == (member.version + 1,)


def test_a_request_made_while_a_pass_plans_is_not_forgotten(
    m: store.Database, other: store.Database
) -> None:
    """
    They are suspended since the 10th, and the call comes after the pass has planned.

    Only the member's version tells. A request moves no Connects, so that no number of
    an entry is taken twice.
    """
    plan = renewal_planner(Plans(store.find_plans(m)), utc(AS_OF), CatchUp.EACH)
    suspend = {"status": "suspended", "reference": "s", "at": DAYS[10]}

    def plan_and_be_late(
        conn: store.Database, members: Sequence[Member]
    ) -> list[Posting | Unplanned]:
        planned = list(plan(conn, members))
        call(other, "set_status", member_id="m", **suspend)
        return planned

    running = start_pass(m, plan_and_be_late)
    assert running.post(m, store.find_members(m, ["m"])).locked == []
    assert statement(m, "m")[1:] == [("expiry", -40, 0), ("renewal", 0, 0)]
    assert read_member(m, "status", "requested_at") == ("suspended", None)
    assert violations(m) == []


def test_a_pass_leaves_its_session_synchronous(m: store.Database) -> None:
    """
    A posting is asynchronous for itself alone.

    The last write of a pass is not, and flushes all before it.
    """
    assert post_once(m) == []
    assert m.execute("SHOW synchronous_commit").fetchone() == {
        "synchronous_commit": "on"
    }


# 2. The server's trouble


@pytest.mark.one_server("the nodes would stay so for other tests")
def test_a_read_only_server_is_trouble_of_the_server(
    database: str, m: store.Database
) -> None:
    """After a failover, for a moment: exit code 3, and nobody failed."""
    m.execute(
        "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET "
        "default_transaction_read_only = on', current_database()); END$$"
    )
    done = command(database, "run", "--as-of", AS_OF)
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("renewer: the database failed: ")
    assert read_failures(m) == []


def test_only_what_tells_its_state_is_a_node_that_is_away(m: store.Database) -> None:
    """An answer nobody asked for, or no connection, is trouble of the coordinator's."""
    m.distributed = True
    told = [
        psycopg.errors.ConnectionFailure("connection to the remote node failed"),
        psycopg.errors.CheckViolation("breaks rule ledger_entry_lot_named"),
        psycopg.InternalError("received 2 results from command 'COMMIT'"),
        DatabaseUnreachable("the database cannot be reached"),
    ]
    assert [connection.is_node_away(m, error) for error in told] == [
        True, False, False, False,
    ]  # fmt: skip


def test_no_setting_of_the_database_ends_a_session_that_waits(
    database: str, m: store.Database
) -> None:
    """A worker listens for hours, and a verification reads for minutes."""
    settings = ["idle_session_timeout", "lock_timeout", "statement_timeout"]
    if m.info.server_version >= 170000:
        settings.append("transaction_timeout")
    for setting in settings:
        m.execute(f"ALTER DATABASE {m.info.dbname} SET {setting} = '1min'".encode())
    with store.connect(database) as conn:
        found = {
            setting: conn.execute(f"SHOW {setting}".encode()).fetchone()
            for setting in settings
        }
    assert found == {setting: {setting: "0"} for setting in settings}


@pytest.mark.one_server("it changes the schema that its tests share")
def test_a_lock_that_is_not_had_in_time_is_trouble_of_the_server(
    database: str, m: store.Database
) -> None:
    """
    As behind a pooler, where a role's lock_timeout stays: it passes, exit code 3.

    A person alters a table meanwhile; directly connected a pass waits for them.
    """
    m.execute(
        "CREATE FUNCTION renewer.impatient() RETURNS text LANGUAGE plpgsql AS "
        "$$BEGIN SET lock_timeout = '50ms'; LOCK renewer.member; RETURN ''; END$$"
    )
    m.execute("ALTER TABLE renewer.run ADD COLUMN odd text DEFAULT renewer.impatient()")
    with store.connect(database) as other, other.transaction():
        other.execute("LOCK renewer.member IN ACCESS SHARE MODE")
        done = command(database, "run", "--as-of", AS_OF)
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("renewer: the database failed: ")
    assert read_failures(m) == []


@pytest.mark.one_server("it changes the schema that its tests share")
def test_a_privilege_that_is_missing_is_trouble_of_the_server(
    database: str, m: store.Database
) -> None:
    """Nobody's posting is at fault: the pass ends, and no failure is recorded."""
    migrations.migrate(database, roles=True)
    m.execute("REVOKE INSERT ON renewer.ledger_entry FROM renewer_worker")
    as_worker = make_conninfo(database, options="-c role=renewer_worker")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        renew(as_worker, AS_OF)
    assert read_failures(m) == []
    assert statement(m, "m") == [("opening", 40, 40)]


def test_a_server_that_does_not_answer_is_given_up(conn: store.Database) -> None:
    """By the client itself: a peer that is gone keeps no timeout of the server."""
    conn.patience_s = 0.2
    with pytest.raises(psycopg.OperationalError, match="no answer from the server"):
        conn.execute("SELECT pg_sleep(5)")
    assert conn.closed


def test_one_who_was_asked_to_leave_waits_for_no_answer(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grace over, the connection is given up, whatever its patience."""
    monkeypatch.setattr(connection, "STOP_GRACE_S", 0.2)
    stop = threading.Event()
    stop.set()
    with (
        pytest.raises(psycopg.OperationalError, match="no answer from the server"),
        store.connect(database, stop=stop) as conn,
    ):
        conn.execute("SELECT pg_sleep(5)")


def test_a_pass_that_comes_late_is_run_all_the_same(
    database: str, m: store.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The host slept for an hour: the scheduler sees a pass whose time is long past.

    Here the next try after trouble is set an hour back.
    """
    monkeypatch.setattr(schedule, "RETRY", -schedule.RETRY * 60)
    stop, ran_late = threading.Event(), threading.Event()
    tries: list[datetime] = []

    def prepare_pass(conn: store.Database) -> datetime:
        tries.append(store.read_clock(conn))
        if len(tries) == 1:
            raise psycopg.OperationalError("the server is away")
        ran_late.set()
        return utc(AS_OF)

    connect = partial(store.connect, database)
    shown = signs(connect, stop)
    options = PassOptions()
    worker = schedule.Worker(connect, [connect], options, prepare_pass, stop, shown)
    thread = threading.Thread(target=worker.serve)
    thread.start()
    ran_late.wait(10)
    stop.set()
    thread.join()
    assert len(tries) == 2


# 3. When a member is due

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
    conn: store.Database,
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


def test_who_is_closed_is_never_due_again(database: str, m: store.Database) -> None:
    """However much later a pass comes, it takes nobody up."""
    call(m, "set_status", member_id="m", status="closed", reference="c", at=DAYS[2])
    assert renew(database, "2016-05-02").counts.as_dict() == counted(due=1, applied=1)
    report = renew(database, "2017-05-02")
    assert (report.counts.as_dict(), report.left) == (counted(), 0)
    assert read_member(m, "status", "due_at") == ("closed", None)


def test_a_request_recorded_late_is_due_at_its_own_time(m: store.Database) -> None:
    """The earliest of those that wait counts, whichever was called first."""
    for at, reference in ((5, "first"), (3, "earlier"), (4, "between")):
        call(
            m,
            "set_timezone",
            member_id="m",
            timezone="Asia/Tokyo",
            reference=reference,
            at=DAYS[at],
        )
    assert read_member(m, "requested_at", "due_at") == (DAYS[3], DAYS[3])


# 4. Ends: of lots and of cycles


def test_a_lot_ends_at_its_end_and_not_before(database: str, m: store.Database) -> None:
    """Neither on its day nor at a boundary shortly before; at its instant exactly."""
    ends_at = utc("2016-05-19T10:00")
    call(
        m,
        "grant_bonus",
        member_id="m",
        amount=5,
        reference="b",
        expires_at=ends_at,
        at=DAYS[2],
    )
    assert renew(database, "2016-05-19T00:00").counts.as_dict() == POSTED
    assert statement(m, "m")[-1] == ("renewal", 60, 65)
    spend = {"member_id": "m", "amount": 61}
    before = utc("2016-05-19T09:59:59")
    assert call(m, "spend", **spend, reference="before", at=before)[0] == 4
    call(m, "refund", member_id="m", spend_reference="before", reference="r", at=before)
    assert refusal(m, "spend", **spend, reference="at", at=ends_at) == (
        "RN002",
        "not enough Connects: member 'm' has 60 to spend, 61 were asked for",
    )
    assert renew(database, "2016-05-19T10:00").counts.as_dict() == counted(
        due=1, expired=1, entries=1
    )
    assert statement(m, "m")[-1] == ("expiry", -5, 60)
    assert violations(m) == []


def test_a_refund_lot_of_today_is_not_over_while_a_boundary_waits(
    m: store.Database,
) -> None:
    """
    No pass came on the 19th.

    What comes back on the 20th is of the cycle that has begun, so that what is spent of
    it and comes back on the 22nd goes into the same lot.
    """
    call(m, "spend", member_id="m", amount=9, reference="job", at=DAYS[3])
    back = {"member_id": "m", "spend_reference": "job"}
    call(m, "refund", **back, reference="back", at=DAYS[20])
    assert read_lots(m) == [("allowance", 31), ("refund", 9)]
    call(m, "spend", member_id="m", amount=35, reference="again", at=DAYS[21])
    assert read_lots(m) == [("allowance", 0), ("refund", 5)]
    back = {"member_id": "m", "spend_reference": "again", "amount": 4}
    call(m, "refund", **back, reference="back again", at=DAYS[22])
    assert read_lots(m) == [("allowance", 0), ("refund", 9)]
    assert violations(m) == []


# 5. Plans, days and amounts


def test_a_plan_without_rules_for_today_is_refused(m: store.Database) -> None:
    """Now would fail them at every pass; with the next cycle there is time to load."""
    store.add_plan(m, Revision("gold", date(2999, 1, 1), 100, 0))
    gold = {"member_id": "m", "plan": "gold", "at": DAYS[2]}
    assert refusal(m, "change_plan", **gold, effective="now", reference="now") == (
        "RN006",
        "plan 'gold' has no rules for 2016-05-02 yet: use next_cycle, or load an "
        "earlier revision",
    )
    assert call(m, "change_plan", **gold, effective="next_cycle", reference="n") == (
        40, None, None, False,
    )  # fmt: skip


def test_a_cycle_older_than_the_rules_of_its_plan_can_be_changed(
    database: str, conn: store.Database
) -> None:
    """
    Imported in the cycle of April 19; Gold, of 100, is there since May 1.

    On May 10 they change to Plus: 70 − 100 + 100 × 21 ÷ 30 = 40.
    """
    load_plans(conn)
    store.add_plan(conn, Revision("gold", date(2016, 5, 1), 100, 0))
    bring_in(conn, ["m,gold,2016-04-19"], "2016-05-05")
    change = {"plan": "plus", "effective": "now", "reference": "c", "at": DAYS[10]}
    call(conn, "change_plan", member_id="m", **change)
    assert renew(database, "2016-05-10").counts.as_dict() == counted(
        due=1, renewed=1, entries=1
    )
    assert statement(conn, "m") == [("renewal", 40, 40)]
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
    database: str, m: store.Database, timezone: str, at: str
) -> None:
    """Half an hour after a summer's midnight, the day that has begun may be named."""
    call(
        m,
        "enroll",
        member_id="new",
        plan="basic",
        anchor_on=date(2016, 7, 1),
        timezone=timezone,
        status="active",
        reference="e",
        at=utc(at),
    )
    assert renew(database, at, members=["new"]).counts.as_dict() == counted(
        due=1, renewed=1, entries=1
    )
    rows = m.execute(
        "SELECT first_day, occurred_at FROM renewer.ledger_entry "
        "WHERE member_id = 'new'"
    ).fetchall()
    assert rows == [{"first_day": date(2016, 7, 1), "occurred_at": utc(at)}]


def buy(conn: store.Database, amount: int, reference: str) -> tuple[Any, ...]:
    """Buy *amount* for m."""
    bought = {"amount": amount, "reference": reference, "at": DAYS[2]}
    return call(conn, "purchase", member_id="m", **bought)


def test_a_balance_no_ledger_holds_is_refused_with_a_way_out(
    m: store.Database,
) -> None:
    """By the call that would make it, in words of our own."""
    assert buy(m, 1_000_000_000, "first")[0] == 1_000_000_040
    assert buy(m, 1_000_000_000, "second")[0] == 2_000_000_040
    bought = {"amount": 1_000_000_000, "reference": "third", "at": DAYS[2]}
    assert refusal(m, "purchase", member_id="m", **bought) == (
        "RN006",
        "member 'm' has 2000000040 Connects and would have 3000000040, more than a "
        "ledger holds: let them be spent first",
    )


def test_a_renewal_no_ledger_holds_fails_and_says_so(
    database: str, m: store.Database
) -> None:
    """Nothing of it is written, and the member is tried again."""
    for reference, amount in (
        ("first", 1_000_000_000),
        ("second", 1_000_000_000),
        ("third", 147_483_600),
    ):
        buy(m, amount, reference)
    report = renew(database, AS_OF)
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
    assert read_failures(m) == [{"member_id": "m", "code": "InputError", "attempts": 1}]
    assert read_member(m, "balance") == (2_147_483_640,)


# 6. Names, and whose functions are called


@pytest.mark.parametrize(
    "name",
    ["a\x1b[31mb", "a\nb", "a\x7fb", "a\x9bb", "a\u2028b", "a\u202eb", "a\u2066b"],
)
def test_a_name_that_steers_a_terminal_is_refused(m: store.Database, name: str) -> None:
    """A member's and a call's: both are printed."""
    new = {"plan": "basic", "timezone": "UTC", "status": "active", "at": DAYS[2]}
    new |= {"anchor_on": date(2016, 5, 1)}
    told = "has characters that cannot be printed: leave them out"
    assert refusal(m, "enroll", member_id=name, reference="e", **new) == (
        "RN006",
        f"member_id {told}",
    )
    assert refusal(m, "spend", member_id="m", reference=name, amount=1) == (
        "RN006",
        f"reference {told}",
    )
    assert m.execute("SELECT member_id FROM renewer.member").fetchall() == [
        {"member_id": "m"}
    ]


def test_a_name_is_refused_by_a_call_as_by_an_import(m: store.Database) -> None:
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
    refused = [f"a{each}b" for each in unseen if each != " "]
    refused += [f"a{each}" for each in unseen] + [f"{each}b" for each in unseen]
    check = "SELECT renewer.check_name('member_id', %s, 64)"
    for name in refused:
        with pytest.raises(InputError):
            importing.read_member_id(name)
        with pytest.raises(psycopg.Error) as caught:
            m.execute(check, [name])
        assert caught.value.sqlstate == "RN006"
    for name in ["a b", "é", "名前", "a/b:c-d_e", "👍"]:
        assert importing.read_member_id(name) == name
        m.execute(check, [name])


def test_json_shows_what_would_steer_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Old names may hold it; JSON alone would pass it on."""
    output.print_json({"member_id": "a\x1b\x9b\u2028\u202e\u2066é"})
    assert capsys.readouterr().out == (
        '{\n  "member_id": "a\\u001b\\u009b\\u2028\\u202e\\u2066é"\n}\n'
    )


@pytest.mark.one_server("what it plants would stay for other tests")
def test_a_better_match_in_another_schema_is_not_called(
    m: store.Database, other: store.Database
) -> None:
    """
    Whoever may create a function in public must not have it run by the job.

    The search_path is what a pooled connection has: nothing is set there.
    """
    m.execute(
        "CREATE FUNCTION public.jsonb_build_object("
        "text, text, text, text, text, text, text, text) "
        "RETURNS jsonb LANGUAGE plpgsql AS $$BEGIN RAISE 'taken in'; END$$"
    )
    m.execute("SET search_path = public")
    other.execute("BEGIN; SELECT FROM renewer.member WHERE member_id = 'm' FOR UPDATE")
    assert post_once(m) == ["m"]


@pytest.mark.one_server("what it plants would stay for other tests")
def test_a_better_match_in_another_schema_is_not_called_by_a_query(
    m: store.Database,
) -> None:
    """What a backfill, `explain` and `history` ask is asked through poolers, too."""
    m.execute(
        "CREATE FUNCTION public.array_remove(timestamptz[], timestamptz) "
        "RETURNS timestamptz[] LANGUAGE plpgsql AS $$BEGIN RAISE 'taken in'; END$$"
    )
    post_once(m)
    m.execute("SET search_path = public")
    assert len(store.find_awards(m, ["m"])["m"]) == 1


SQL = ROOT / "sql"


def read_statement(path: str) -> str:
    """Return a file of sql/ without its comments and its texts."""
    text = re.sub("--.*", "", (SQL / path).read_text(encoding="utf-8"))
    return re.sub("'[^']*'", "''", text)


@pytest.fixture(scope="module")
def built_ins(server: str) -> str:
    """
    A pattern of the built-ins that take any type, as the server knows them.

    Of max and min it has one of its own for every type we ask for.
    """
    with psycopg.connect(server) as conn:
        rows = conn.execute(
            "SELECT DISTINCT p.proname FROM pg_catalog.pg_proc AS p "
            "JOIN pg_catalog.pg_type AS t ON t.oid = ANY (p.proargtypes) "
            "WHERE p.pronamespace = 'pg_catalog'::regnamespace "
            "AND t.typname LIKE 'any%' AND p.proname NOT IN ('max', 'min')"
        )
        return "|".join(re.escape(name) for (name,) in rows)


STATEMENTS = sorted(
    str(path.relative_to(SQL))
    for folder in ("queries", "routines", "views")
    for path in (SQL / folder).rglob("*.sql")
)


@pytest.mark.parametrize("path", STATEMENTS)
def test_built_ins_that_take_any_type_are_named_with_their_schema(
    built_ins: str, path: str
) -> None:
    """
    One of the same name that takes exactly these arguments would be preferred.

    There is none that count(*) could be taken for.
    """
    by_name_alone = rf"(?<![.\w])({built_ins})\s*\((?!\*\))"
    assert re.findall(by_name_alone, read_statement(path)) == []


@pytest.mark.parametrize(
    "path",
    [
        str(path.relative_to(SQL))
        for path in sorted(SQL.rglob("*.sql"))
        if "ON CONFLICT" in path.read_text(encoding="utf-8")
    ],
)
def test_a_conflict_that_is_expected_is_named(path: str) -> None:
    """Another key that is broken must be an error, not silence."""
    assert re.findall(r"ON CONFLICT (?!ON CONSTRAINT )\w+", read_statement(path)) == []
