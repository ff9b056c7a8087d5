"""A pass of several processes: they share it, and die, without anybody noticing."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial
from typing import Any

import orjson
import psutil
import pytest
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from renewer.jobs import parallel, poster, scan
from renewer.jobs.counts import BatchResult, Counts
from renewer.jobs.pass_request import HelperSettings, PassOptions
from renewer.jobs.recorder import PassReport
from renewer.rules.ledger import CatchUp, Kind
from renewer.store.batches import lock_member
from renewer.store.connection import LEASE_CLASS, Database, connect
from renewer.store.runs import find_runs
from renewer.worker.liveness import PassActivity
from tests.e2e.test_worker import wait_for
from tests.faults.scene import (
    AS_OF,
    CANARY,
    Ledger,
    arguments_of_run,
    assert_undisturbed,
    at_work,
    done,
    ended,
    foresee,
    held_lots,
    judge,
    started,
    until,
    waiting,
)
from tests.support import ledger, renew, utc, violations

RUN = arguments_of_run()
MEMBERS = 120
LINES = [
    f"m{n},plus,{date(2012 + n % 4, 1 + n % 12, 1 + n * 7 % 28)},UTC,active,{n % 90}"
    for n in range(MEMBERS)
]
BATCH = 2
THREE = {"RENEWER_PROCESSES": "3", "RENEWER_BATCH_SIZE": f"{BATCH}"}
TWO = THREE | {"RENEWER_PROCESSES": "2"}


@pytest.fixture
def expected(database: str, conn: Database) -> Ledger:
    """The ledger of a pass of one process; the scene is set for one of three."""
    return foresee(database, conn, LINES)


def helpers_of(pid: int) -> list[psutil.Process]:
    """Return the processes that help with a pass of process *pid*, by their age."""
    children = psutil.Process(pid).children()
    return [each for each in children if "renewer.jobs.helper" in each.cmdline()]


def is_gone(process: psutil.Process) -> bool:
    """Whether it has ended, though perhaps nobody has taken note of that."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def members_of(conn: Database, processes: int) -> list[str]:
    """Return a member of Plus with a lot of each process's share of the buckets."""
    rows = conn.execute(
        "SELECT DISTINCT ON (share) member_id, share FROM renewer.member "
        "JOIN renewer.lot USING (member_id), "
        "LATERAL (SELECT bucket %% %s AS share) AS s WHERE plan = 'plus' "
        "ORDER BY share, member_id",
        [processes],
    )
    return [row["member_id"] for row in rows]


@contextmanager
def standing(
    database: str,
    conn: Database,
    start: Callable[[], object] = lambda: None,
    processes: int = 2,
) -> Iterator[list[str]]:
    """
    Let all processes of a pass stand still in a batch; yield a member of each batch.

    They wait for lots that a clumsy application holds, before the pass may *start*.
    """
    held = members_of(conn, processes)
    with ExitStack() as locks:
        for each in held:
            locks.enter_context(held_lots(database, each))
        start()
        until(lambda: len(waiting(conn)) == processes)
        yield held


def find_due(conn: Database) -> set[str]:
    """Return who is still due."""
    due = "SELECT member_id FROM renewer.member WHERE due_at <= %s"
    return {row["member_id"] for row in conn.execute(due, [utc(AS_OF)])}


@pytest.fixture
def long_only(request: pytest.FixtureRequest) -> None:
    """Leave a test to the long form."""
    if not request.config.getoption("--long"):
        pytest.skip("with --long")


def renew_together(database: str, **more: Any) -> PassReport:
    """Run a pass of three processes, this one and two helpers."""
    helpers = more.pop("helpers", HelperSettings(3, database, 60))
    return renew(database, AS_OF, batch_size=BATCH, helpers=helpers, **more)


def test_a_pass_of_three_processes_is_one_pass(
    database: str, conn: Database, expected: Ledger
) -> None:
    """
    One run, whose counts are those of all three, and the ledger of one process alone.

    A member who fails, one in each share, does so alone and is counted once.
    """
    bad = members_of(conn, 3)
    broken = "UPDATE renewer.member SET plan = %s WHERE member_id = ANY (%s)"
    conn.execute(broken, ["gold", bad])
    with started(database, *RUN, "--json", env=THREE) as process:
        with standing(database, conn, processes=3):
            pass  # all three are at work
        first = ended(process)
    told = json.loads(first.out)
    assert first.code == 1
    assert {failure["member_id"] for failure in told["failures"]} == set(bad)
    counted = (told["due"], told["renewed"], told["failed"], told["skipped"])
    assert counted == (MEMBERS, MEMBERS - 3, 3, 0)
    assert told["left"] == 0
    row = find_runs(conn, 2)
    assert [each["state"] for each in row] == ["finished"]
    assert [row[0][name] for name in ("due", "renewed", "failed", "entries")] == [
        told[name] for name in ("due", "renewed", "failed", "entries")
    ]
    posted = "SELECT count(*) AS n FROM renewer.ledger_entry WHERE run_id = %s"
    assert conn.execute(posted, [told["run_id"]]).fetchone() == {"n": told["entries"]}
    conn.execute(broken, ["plus", bad])
    assert renew(database, AS_OF, members=bad).counts.renewed == 3
    assert_undisturbed(conn, expected)


def test_what_a_killed_process_leaves_is_done_by_the_others(
    database: str, conn: Database, expected: Ledger
) -> None:
    """In the same pass, each once; a line says which process was lost, and how."""
    with started(database, *RUN, "--json", env=TWO) as process:
        with standing(database, conn):
            (helper,) = helpers_of(process.pid)
            helper.kill()
            # The server lets go of what it held.
            until(lambda: len(waiting(conn)) == 1)
        left = ended(process)
    told = json.loads(left.out)
    assert (left.code, told["left"], told["failed"]) == (0, 0, 0)
    lost = [json.loads(line) for line in left.err.splitlines() if "lost" in line]
    assert [(each["event"], each["process"], each["error"]) for each in lost] == [
        ("renewal.process_lost", helper.pid, "it was ended by SIGKILL")
    ]
    assert_undisturbed(conn, expected)


@pytest.mark.usefixtures("long_only")
@pytest.mark.parametrize("renewed", [0, 10, 30, 60, 90])
def test_processes_may_be_killed_at_any_time(
    database: str, conn: Database, expected: Ledger, renewed: int
) -> None:
    """At their start, between two batches or in one: the first finishes the pass."""
    with started(database, *RUN, "--json", env=THREE) as process:
        until(lambda: len(helpers_of(process.pid)) == 2)
        until(lambda: len(find_due(conn)) <= MEMBERS - renewed)
        for helper in helpers_of(process.pid):
            helper.kill()
        left = ended(process)
    told = json.loads(left.out)
    assert (left.code, told["left"], told["failed"]) == (0, 0, 0)
    assert MEMBERS - 4 * BATCH <= told["due"] <= MEMBERS
    assert_undisturbed(conn, expected)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_processes_finish_their_batches_and_leave(
    database: str,
    conn: Database,
    expected: Ledger,
    request: pytest.FixtureRequest,
    number: int,
) -> None:
    """
    Asked to, or interrupted from its terminal, a pass leaves with all processes.

    What they had in hand is posted. No command line shows how they connect.
    """
    if number == signal.SIGINT:
        request.getfixturevalue("long_only")
    secret = make_conninfo(database, password=CANARY)
    with started(secret, *RUN, env=TWO, process_group=0) as process:
        with standing(database, conn) as held:
            (helper,) = helpers_of(process.pid)
            command = helper.cmdline()
            os.killpg(process.pid, number)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
        left = ended(process)
    assert (left.code, "Stopped before the end." in left.out) == (1, True)
    assert ("Traceback" in left.err, "process_lost" in left.err) == (False, False)
    assert ("renewer.jobs.helper" in command, CANARY in str(command)) == (True, False)
    assert is_gone(helper)
    assert 0 < len(find_due(conn) - set(held)) == len(find_due(conn)) < MEMBERS
    assert [each["state"] for each in find_runs(conn, 1)] == ["stopped"]
    judge(database, conn, expected)


def test_processes_do_not_outlive_a_pass_that_is_killed(
    database: str, conn: Database, expected: Ledger
) -> None:
    """They post the batch in hand and leave; the next pass does the rest."""
    with started(database, *RUN, env=TWO) as process:
        with standing(database, conn) as (ours, theirs):
            (helper,) = helpers_of(process.pid)
            process.kill()
            process.wait()
            # The server lets go of what it held.
            until(lambda: len(waiting(conn)) == 1)
            assert not is_gone(helper)
        until(lambda: is_gone(helper))
    until(lambda: not at_work(conn))
    assert {ours, theirs} & find_due(conn) == {ours}
    judge(database, conn, expected)


def test_a_worker_has_its_pass_done_by_processes(
    database: str, conn: Database, expected: Ledger
) -> None:
    """It says how many there may be, tells what they did, and leaves when asked."""
    with started(database, "worker", env=TWO | {"RENEWER_CATCH_UP": "latest"}) as own:
        assert wait_for(own, "worker.started")["processes"] == 2
        until(lambda: helpers_of(own.pid))
        pass_ = wait_for(own, "renewal.pass_finished")
        assert (pass_["due"], pass_["renewed"], pass_["left"]) == (MEMBERS, MEMBERS, 0)
        own.terminate()
        assert own.wait(30) == 0
    assert violations(conn) == []


@pytest.mark.usefixtures("long_only")
def test_a_pass_of_processes_needs_no_output(
    database: str, conn: Database, expected: Ledger
) -> None:
    """All its streams are closed: it is done, and so is what the others do."""
    shell = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    assert done(database, *RUN, prefix=shell, env=THREE).code == 0
    assert_undisturbed(conn, expected)


def test_a_member_somebody_holds_is_counted_once(
    database: str,
    conn: Database,
    expected: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though each process met them; what they did is seen by who watches the pass."""
    monkeypatch.setattr(poster, "RETRY_BUDGET_S", 0.3)
    activity = PassActivity()
    with connect(database) as other, other.transaction():
        lock_member(other, members_of(conn, 3)[1], 1)
        report = renew_together(database, observer=activity)
    counts = report.counts
    assert (counts.due, counts.renewed, counts.skipped) == (MEMBERS, MEMBERS - 1, 1)
    assert report.left == 1
    assert activity.totals() == counts
    judge(database, conn, expected)


@pytest.mark.usefixtures("long_only")
def test_processes_that_cannot_work_leave_it_to_the_first(
    database: str, conn: Database, expected: Ledger
) -> None:
    """As where a server has no connection left for them: two lines say so."""
    nowhere = HelperSettings(
        3, make_conninfo(database, dbname="nowhere", password=CANARY), 60
    )
    with capture_logs() as logs:
        report = renew_together(database, helpers=nowhere)
    assert (report.counts.renewed, report.left) == (MEMBERS, 0)
    assert [each["event"] for each in logs] == ["renewal.process_lost"] * 2
    assert all("cannot be reached" in each["error"] for each in logs)
    assert CANARY not in str(logs)
    assert_undisturbed(conn, expected)


@pytest.mark.usefixtures("long_only")
def test_a_process_that_is_silent_is_ended(
    database: str,
    conn: Database,
    expected: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frozen, it delays its bucket for a while, and the pass by no more."""
    monkeypatch.setattr(parallel, "SILENCE_GRACE_S", 0.0)
    monkeypatch.setattr(scan, "LEASE_TIMEOUT_S", 0.1)
    helpers = HelperSettings(2, database, 3)
    with capture_logs() as logs, ThreadPoolExecutor(1) as pool:
        pending = []

        def start() -> None:
            work = partial(renew_together, database, helpers=helpers, threads=1)
            pending.append(pool.submit(work))

        with standing(database, conn, start):
            (helper,) = helpers_of(os.getpid())
            helper.send_signal(signal.SIGSTOP)
        report = pending[0].result(timeout=60)
    assert (report.left, report.counts.failed) == (0, 0)
    assert [(each["process"], each["error"]) for each in logs] == [
        (helper.pid, "it has told nothing for too long")
    ]
    assert_undisturbed(conn, expected)


@pytest.mark.usefixtures("long_only")
def test_a_process_that_waits_for_a_lease_is_not_silent(
    database: str,
    conn: Database,
    expected: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that it is there, though it has nothing to tell."""
    monkeypatch.setattr(parallel, "SILENCE_GRACE_S", 0.0)
    helpers = HelperSettings(2, database, 5)
    leases = "SELECT pg_advisory_lock(%s, n) FROM generate_series(0, 63) AS n"
    with capture_logs() as logs, ThreadPoolExecutor(1) as pool:
        with connect(database) as other:
            other.execute(leases, [LEASE_CLASS])
            pending = pool.submit(renew_together, database, helpers=helpers, threads=1)
            until(lambda: helpers_of(os.getpid()))
            with pytest.raises(TimeoutError):
                pending.result(timeout=8)
        report = pending.result(timeout=60)
    assert (report.left, report.counts.due, logs) == (0, MEMBERS, [])
    assert_undisturbed(conn, expected)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (-signal.SIGKILL, "it was ended by SIGKILL"),
        (-40, "it was ended by signal 40"),
        (1, "it left with exit code 1"),
    ],
)
def test_how_a_process_ended_is_told(code: int, told: str) -> None:
    """Also by a signal that has no name."""
    assert parallel.describe_exit(code) == told


def test_what_a_helper_writes_and_reads_is_what_was_meant() -> None:
    """A specification and a batch come out of their lines as they went in."""
    spec = parallel.HelperSpec(
        HelperSettings(3, "host=/nowhere", 60.0),
        PassOptions(CatchUp.LATEST, 1, 50),
        7,
        utc(AS_OF),
        utc("2016-04-30T23:00"),
        scan.Partition(1, 3),
    )
    assert parallel.HelperSpec.from_line(spec.to_line()) == spec
    counts = Counts(due=2, renewed=1, failed=1, conflicts=1)
    counts.entries_by_kind.update({Kind.ROLLOVER: 2, Kind.RENEWAL: 1})
    counts.connects_by_kind.update({Kind.ROLLOVER: 30, Kind.RENEWAL: 70})
    batch = BatchResult(counts, [("m", "unknown plan 'gold'")])
    assert BatchResult.from_json(orjson.loads(batch.to_json())) == batch


def test_few_members_are_not_worth_a_process(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Each is for twenty batches, and there are never more than may be."""
    helpers = HelperSettings(3, database, 60)
    sizes = [
        parallel.count_processes(conn, helpers, utc(AS_OF), batch)
        for batch in (1, 2, 3, 4, 500)
    ]
    assert sizes == [3, 3, 2, 1, 1]
    alone = HelperSettings(1, database, 60)
    assert parallel.count_processes(conn, alone, utc(AS_OF), 1) == 1
    assert ledger(conn) != expected
    assert violations(conn) == []
