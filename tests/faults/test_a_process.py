"""A. Processes of renewer that are killed, stopped, asked to leave, or lose output."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from renewer.store.connection import Database
from tests.faults.proxy import Link, Proxy, Verdict
from tests.faults.scene import (
    LINES,
    Ledger,
    arguments_of_run,
    assert_undisturbed,
    at_work,
    done,
    due,
    ended,
    held_lots,
    in_a_statement,
    judge,
    set_scene,
    started,
    until,
    waiting,
)
from tests.support import renew, statement, violations

RUN = arguments_of_run()


@pytest.mark.parametrize("before_it_is_passed_on", [True, False])
def test_a1_a_pass_may_be_killed_at_every_message(
    database: str,
    conn: Database,
    expected: Ledger,
    proxy: Proxy,
    request: pytest.FixtureRequest,
    before_it_is_passed_on: bool,
) -> None:
    """
    Killed at the n-th message of either direction, whatever n is, a pass leaves whole
    members, and the next one finishes. Each n with --long, else one of twenty.
    """
    step = 1 if request.config.getoption("--long") else 20
    seen_due = set()
    for nth in range(1 if before_it_is_passed_on else 1 + step // 2, 400, step):
        set_scene(conn)
        count = 0
        with started(proxy.through(database), *RUN) as process:

            def kill_at_the_nth(_link: Link, _to: str, _chunk: bytes) -> Verdict:
                nonlocal count
                count += 1
                if count != nth:  # noqa: B023 - of this round
                    return Verdict.PASS
                process.kill()
                return Verdict.CUT if before_it_is_passed_on else Verdict.PASS

            proxy.judge = kill_at_the_nth
            code = ended(process).code
        if count < nth:
            assert code == 0
            break
        assert code in (-signal.SIGKILL, 0)
        until(lambda: not at_work(conn))
        seen_due.add(due(conn))
        judge(database, conn, expected)
    else:
        raise AssertionError("the pass never came to its end")
    assert len(seen_due) > 1


def test_a3_what_a_killed_pass_held_is_let_go(
    database: str, conn: Database, expected: Ledger
) -> None:
    """
    Killed while the server runs its statement, a pass holds the member no longer than
    the server takes to see that it is gone; the statement might take minutes.
    """
    with held_lots(database, "bob"):
        with started(database, *RUN) as process:
            until(lambda: waiting(conn))
        assert process.returncode == -signal.SIGKILL
        until(lambda: not at_work(conn), within_s=15)
    judge(database, conn, expected)


def test_a4_a_pass_that_was_frozen_finds_that_others_did_its_work(
    database: str, conn: Database, expected: Ledger
) -> None:
    """
    Frozen in a statement, a pass loses its locks to the server's timeouts, the next
    one does everything, and the first, once it goes on, writes nothing.
    """
    env = {"RENEWER_STATEMENT_TIMEOUT": "2"}
    with started(database, *RUN, env=env) as process:
        with held_lots(database, "bob"):
            until(lambda: waiting(conn))
            process.send_signal(signal.SIGSTOP)
            until(lambda: not in_a_statement(conn))
        report = renew(database, AS_OF_TEXT)
        assert (report.left, report.counts.failed) == (0, 0)
        assert_undisturbed(conn, expected)
        process.send_signal(signal.SIGCONT)
        assert ended(process).code == 3
    assert_undisturbed(conn, expected)


AS_OF_TEXT = RUN[2]


def test_a5_asked_to_leave_in_a_statement_a_pass_finishes_the_batch(
    database: str, conn: Database, expected: Ledger
) -> None:
    """The batch in hand is posted, nothing new is begun, and exit code 1 says so."""
    env = {"RENEWER_BATCH_SIZE": "1"}
    with started(database, *RUN, env=env) as process:
        with held_lots(database, "ana"), held_lots(database, "bob"):
            until(lambda: waiting(conn))
            process.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
        left = ended(process, within_s=20)
    assert (left.code, "Stopped before the end." in left.out) == (1, True)
    assert 0 < due(conn) < len(LINES)
    judge(database, conn, expected)


@contextmanager
def worker(conninfo: str, log: Path, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run a worker whose log goes to a file."""
    with (
        log.open("w") as err,
        started(conninfo, "worker", stderr=err, env=env) as process,
    ):
        yield process


def test_a5_a_second_signal_ends_a_worker_at_once(
    database: str, conn: Database, expected: Ledger, tmp_path: Path
) -> None:
    """Though its statement is answered by nobody; the next pass finishes."""
    log = tmp_path / "log"
    with held_lots(database, "bob"):
        with worker(database, log, RENEWER_STATEMENT_TIMEOUT="3") as process:
            until(lambda: waiting(conn))
            process.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            process.terminate()
            assert process.wait(2) == 128 + signal.SIGTERM
        until(lambda: not at_work(conn))
    renew(database, AS_OF_TEXT)
    assert violations(conn) == []


def test_a5_a_worker_leaves_while_its_database_is_away(tmp_path: Path) -> None:
    """Between two tries it leaves at once, with 0: nothing was in hand."""
    log = tmp_path / "log"
    with worker("postgresql://nobody@127.0.0.1:1/none", log) as process:
        until(lambda: "database.away" in log.read_text())
        process.terminate()
        assert process.wait(20) == 0
    assert log.read_text().count("database.away") == 1


def test_a5_a_worker_leaves_while_it_connects(
    database: str, proxy: Proxy, tmp_path: Path
) -> None:
    """A server that takes the connection and says nothing holds it for no time."""
    proxy.silent.set()
    with worker(
        proxy.through(database, connect_timeout=2), tmp_path / "log"
    ) as process:
        until(lambda: proxy.links)
        process.terminate()
        assert process.wait(40) in (0, 3)


def test_a5_a_worker_leaves_though_nobody_answers(
    database: str, conn: Database, expected: Ledger, proxy: Proxy, tmp_path: Path
) -> None:
    """Asked to leave while the peer is gone it waits for the grace, and no longer."""

    def fall_silent(_link: Link, _to: str, chunk: bytes) -> Verdict:
        if b"CALL renewer.post_batch" in chunk:
            proxy.silent.set()
        return Verdict.PASS

    proxy.judge = fall_silent
    with worker(
        proxy.through(database, connect_timeout=2), tmp_path / "log"
    ) as process:
        until(proxy.silent.is_set)
        began = time.monotonic()
        process.terminate()
        assert process.wait(40) in (0, 3)
        assert time.monotonic() - began > 5, "the answer is waited for a while"
    proxy.cut()
    until(lambda: not at_work(conn))
    judge(database, conn, expected)


REDIRECTED = {
    "stdout closed": ">&-",
    "stderr closed": "2>&-",
    "all closed": "<&- >&- 2>&-",
    "stdout full": ">/dev/full",
    "stderr full": "2>/dev/full",
}


@pytest.mark.parametrize("how", REDIRECTED)
def test_a6_output_that_breaks_stops_no_pass(
    database: str, conn: Database, expected: Ledger, how: str
) -> None:
    """The pass is done, and the exit code is that of the pass."""
    shell = ("sh", "-c", f'exec "$@" {REDIRECTED[how]}', "sh")
    left = done(database, *RUN, prefix=shell)
    assert (left.code, "Traceback" in left.err) == (0, False)
    assert_undisturbed(conn, expected)


def test_a6_a_reader_that_is_gone_stops_no_pass(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Both outputs are pipes that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with started(database, *RUN, stdout=writer, stderr=writer) as process:
        os.close(writer)
        assert process.wait(60) == 0
    assert_undisturbed(conn, expected)


def test_a6_a_pipe_that_never_blocks_loses_no_line(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Another process that shares it made it so; its reader is slow."""
    with conn.transaction():
        for n in range(1000):
            conn.execute("SELECT renewer.purchase('bob', 1, %s)", [f"bought {n}"])
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with (
        os.fdopen(reader, "rb") as reading,
        started(database, "export", "entries", stdout=writer) as process,
    ):
        os.close(writer)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        assert len(reading.readlines()) == len(LINES) + 1000
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 1), (signal.SIGHUP, -signal.SIGHUP)]
)
def test_a6_a_terminal_that_interrupts_or_is_closed_loses_nothing(
    database: str, conn: Database, expected: Ledger, number: int, code: int
) -> None:
    """Ctrl-C finishes the batch; a terminal that is closed ends it like a kill."""
    env = {"RENEWER_BATCH_SIZE": "1"}
    with started(database, *RUN, env=env) as process:
        with held_lots(database, "ana"), held_lots(database, "bob"):
            until(lambda: waiting(conn))
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
        assert ended(process).code == code
    until(lambda: not at_work(conn))
    judge(database, conn, expected)


def test_a6_a_log_that_nobody_reads_holds_no_worker(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Its pipe is full from the start: the pass is done, and it leaves when asked."""
    if sys.platform != "linux":
        pytest.skip("a pipe cannot be filled to its brim here")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    try:
        with started(database, "worker", stderr=writer) as process:
            until(lambda: due(conn) == 0 or process.poll() is not None)
            process.terminate()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            process.terminate()
            assert process.wait(5) == 128 + signal.SIGTERM
    finally:
        os.close(reader)
        os.close(writer)
    assert violations(conn) == []


@pytest.mark.one_server("there a worker listens at every node")
@pytest.mark.parametrize("how", ["all closed", "stderr full"])
def test_a6_a_worker_whose_log_breaks_still_listens(
    database: str, conn: Database, expected: Ledger, how: str
) -> None:
    """It posts at its start, applies what is announced later, and leaves when asked."""
    shell = ("sh", "-c", f'exec "$@" {REDIRECTED[how]}', "sh")
    with started(database, "worker", prefix=shell) as process:
        until(lambda: due(conn) == 0)
        conn.execute(
            "SELECT renewer.enroll('dan', 'basic', current_date, 'UTC', 'active', 'e')"
        )
        until(lambda: statement(conn, "dan") == [("renewal", 60, 60)])
        process.terminate()
        assert process.wait(20) == 0
    assert violations(conn) == []


def test_a8_too_few_descriptors_are_told_and_lose_nothing(
    database: str, conn: Database, expected: Ledger
) -> None:
    """A pass that cannot open its connections says so in a line, and leaves with 3."""
    prefix = ("sh", "-c", 'ulimit -n 6; exec "$@"', "sh")
    left = done(database, *RUN, prefix=prefix)
    judge(database, conn, expected)
    assert (left.code, "Traceback" in left.err) == (3, False)
