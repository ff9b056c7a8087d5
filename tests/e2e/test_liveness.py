"""A worker whose threads no longer work says so: a real process, asked over HTTP."""

import signal

import pytest

from renewer.store.connection import Database, connect
from tests.e2e.test_monitor import WELL, address_of, ask, started
from tests.e2e.test_worker import soon, wait_for
from tests.support import bring_in, load_plans

pytestmark = pytest.mark.gate

DRIVER = """
import sys, threading, time
import signal
from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.base import BaseScheduler
from renewer.cli import main
from renewer.worker import liveness, schedule

how, ticks_s, silence_s, batch_s = sys.argv[1], *map(float, sys.argv[2:])
schedule.TICK_EVERY_S, liveness.LONGEST_SILENCE_S = ticks_s, silence_s
liveness.LONGEST_BATCH_S = batch_s
asked = threading.Event()
work_on, submit = BaseScheduler._process_jobs, BaseExecutor.submit_job

def process_jobs(scheduler):
    if asked.is_set() and how == "dies":
        sys.exit()
    if asked.is_set() and how == "hangs":
        time.sleep(3600)
    return work_on(scheduler)

def submit_job(executor, job, times):
    # All threads that jobs run in are taken: the job is accepted, and never run.
    if not (asked.is_set() and how == "is crowded out"):
        submit(executor, job, times)

BaseScheduler._process_jobs = process_jobs
BaseExecutor.submit_job = submit_job
signal.signal(signal.SIGUSR1, lambda *_: asked.set())
sys.argv = ["renewer", "worker"]
main()
"""
"""A worker with a fault in its scheduler, from SIGUSR1 on."""


def faulty(how: str, *limits: float) -> list[str]:
    """Call a worker that fails on SIGUSR1, with *limits*: tick, silence, batch."""
    return ["-c", DRIVER, how, *map(str, limits)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", ["dies", "hangs", "is crowded out"])
def test_a_scheduler_that_stops_is_told_by_healthz(
    database: str, request: pytest.FixtureRequest, how: str
) -> None:
    """
    Its passes never come; the process answers, and is to be started anew.

    The short form has shorter limits, the long form those of the product.
    """
    limits: tuple[float, ...] = (0.5, 3.0, 300.0)
    if request.config.getoption("--long"):
        limits = (15, 60, 300)
    tick_s, silence_s, _ = limits
    with started(database, faulty(how, *limits)) as process:
        at = address_of(process)
        wait_for(process, "renewal.pass_finished")
        # It ticks for longer than the silence that is allowed.
        assert not soon(lambda: ask(at, "/healthz") != (200, WELL), silence_s + tick_s)
        process.send_signal(signal.SIGUSR1)
        assert soon(lambda: ask(at, "/healthz")[0] == 503, silence_s + 2 * tick_s + 5)
        (problem,) = ask(at, "/healthz")[1]["problems"]
        assert problem.startswith("the scheduler has not ticked for ")
        assert ask(at, "/readyz") == (200, WELL)


def test_a_batch_that_hangs_is_told_by_healthz(database: str, conn: Database) -> None:
    """While the scheduler ticks; it is well again when the batch goes on."""
    load_plans(conn)
    bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-14")
    with started(database, faulty("works", 0.5, 3, 2)) as process:
        with connect(database) as other, other.transaction():
            other.execute("LOCK TABLE renewer.ledger_entry IN SHARE MODE")
            at = address_of(process)
            assert soon(lambda: ask(at, "/healthz")[0] == 503)
            (problem,) = ask(at, "/healthz")[1]["problems"]
            assert problem.startswith("a batch has been under way for ")
        assert soon(lambda: ask(at, "/healthz") == (200, WELL))
