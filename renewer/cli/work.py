"""Commands that run passes: now, or every hour."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from types import FrameType
from typing import Annotated, Any

import psycopg
import structlog
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from renewer import store
from renewer.answers.wording import plural
from renewer.cli.options import (
    AllowFuture,
    AsOf,
    CatchUpOption,
    Json,
    Members,
    resolve_as_of,
)
from renewer.cli.output import is_watched, note, print_json, progress, say, timestamp
from renewer.cli.rehearsal import Rehearsal
from renewer.errors import DatabaseUnreachable, InputError
from renewer.host import database
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings
from renewer.jobs import renewal
from renewer.jobs.crew import Crew
from renewer.jobs.passes import Options, PassReport, log_pass
from renewer.rules.ledger import CatchUp
from renewer.worker.duties import Duties
from renewer.worker.health import Pulse
from renewer.worker.metrics import Metrics
from renewer.worker.monitor import Monitor
from renewer.worker.presence import Presence
from renewer.worker.schedule import Signs, Worker

log = structlog.get_logger()

LEAVE_S = 45.0
"""How long a process that was asked to stop may take before it is ended."""


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """
    Yield an event that SIGTERM and SIGINT set, so that the batch in hand is finished.

    A second signal ends the process at once, and LEAVE_S after the first it ends by
    itself: a log that nobody reads can hold a thread for ever.
    """
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        timer = threading.Timer(LEAVE_S, os._exit, [3])
        timer.daemon = True
        timer.start()

    before = {
        number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


LOOK_S = 3
"""Seconds that looking at the database may take to connect, and to be answered."""


def pass_options(catch_up: CatchUp | None) -> Options:
    """
    Return how passes work here: the environment's settings, *catch_up* before them.
    """
    settings = read_settings()
    return Options(catch_up or settings.catch_up, settings.threads, settings.batch_size)


def pass_crew(conninfo: str) -> Crew:
    """Return the processes that a pass over many members has here."""
    settings = read_settings()
    return Crew(settings.processes, conninfo, settings.statement_timeout)


def run(
    as_of: AsOf = None,
    member: Members = None,
    catch_up: CatchUpOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done and write nothing."),
    ] = False,
    allow_future: AllowFuture = False,
    json: Json = False,
) -> None:
    """
    Post all that is due, once, and leave.

    Safe to repeat and to run beside others. Exit code 1 means that members failed: they
    are tried again by a later pass and delay nobody.
    """
    options = pass_options(catch_up)
    with database.connected(note) as (conninfo, conn), stop_on_signal() as stop:
        now = database.read_clock(conn)
        at = resolve_as_of(as_of, now, allow_future=allow_future or dry_run)
        patience_s = read_settings().statement_timeout
        configure_logs(quiet=is_watched())
        rehearsal = Rehearsal(named=member is not None)
        # Who counts asks every node of a cluster, and one may be away.
        total = None if conn.distributed else store.count_due(conn, at, member)
        with progress("Renewing", total) as advance:
            outcome = renewal.renew_due(
                partial(store.connect, conninfo, patience_s=patience_s, stop=stop),
                as_of=at,
                options=options,
                members=member,
                dry_run=dry_run,
                stop=stop,
                progress=advance,
                report=rehearsal.add if dry_run else lambda _: None,
                crew=pass_crew(conninfo),
            )
    log_pass(outcome)
    if json:
        rehearsed = rehearsal.as_document() if dry_run else {}
        print_json(as_document(outcome) | rehearsed)
    else:
        _print_outcome(outcome)
        rehearsal.print()
    raise typer.Exit(1 if outcome.counts.failed or outcome.left else 0)


def as_document(outcome: PassReport) -> dict[str, Any]:
    """Return a pass's outcome as its JSON document."""
    return {
        "run_id": outcome.run_id,
        "as_of": outcome.as_of,
        **{
            name: number
            for name, number in outcome.counts.as_dict().items()
            if name != "late"
        },
        "seconds": outcome.seconds,
        "stopped": outcome.stopped,
        "left": outcome.left,
        "failures": [
            {"member_id": member_id, "error": message}
            for member_id, message in outcome.failures
        ],
    }


def _print_outcome(outcome: PassReport) -> None:
    counts = outcome.counts
    head = (
        "Dry run, nothing written"
        if outcome.run_id is None
        else f"Pass {outcome.run_id}"
    )
    wrong = bool(counts.failed or outcome.left)
    parts = [f"{counts.due} due", f"{counts.renewed} renewed"]
    parts += [
        f"{number} {name}"
        for name, number in counts.as_dict().items()
        if number and name in SELDOM
    ]
    say(
        f"{head} as of {timestamp(outcome.as_of)}: {', '.join(parts)}; "
        f"{plural(counts.entries, 'entry', 'entries')} in {outcome.seconds:.1f} s.",
        style="red" if wrong else None,
    )
    for member_id, message in outcome.failures:
        note(f"{member_id}: {message}")
    if outcome.stopped:
        say("Stopped before the end.")
    if outcome.left:
        are = "member is" if outcome.left == 1 else "members are"
        say(f"{outcome.left} {are} still due: the next pass renews them.")


SELDOM = ("expired", "applied", "skipped", "failed")


def worker(catch_up: CatchUpOption = None) -> None:
    """
    Run a pass now and at every full hour (UTC), until SIGTERM or SIGINT.

    The batch in hand is finished; a second signal ends it at once. Enrolments, changes
    of plan and released reviews are applied within a second of their call.

    While the database is away the worker waits for it and tries again every minute.
    """
    configure_logs()
    options, settings = pass_options(catch_up), read_settings()
    with database.address(note) as conninfo, stop_on_signal() as stop:
        _look_at_database(conninfo)
        patience_s = settings.statement_timeout
        connect, *listen = (
            partial(store.connect, each, patience_s=patience_s, stop=stop)
            for each in (conninfo, *settings.listen_conninfos(conninfo))
        )
        # Who looks waits for nobody: the scrape of a monitor ends after ten seconds.
        look = partial(store.connect, _impatient(conninfo), patience_s=LOOK_S)
        pulse = Pulse()
        metrics = Metrics(pulse, look)
        with closing(Monitor(settings.monitor, pulse, metrics, look)) as monitor:
            signs = Signs(
                pulse,
                metrics,
                Presence(look, monitor.address),
                Duties(connect, settings.keep_runs, stop),
                settings.verify_at,
            )
            prepare = database.prepare_pass
            crew = pass_crew(conninfo)
            work = Worker(connect, listen, options, prepare, stop, signs, crew)
            if not work.serve():
                # A thread that waits for ever must not keep the process.
                sys.stderr.flush()
                os._exit(3)


def _impatient(conninfo: str) -> str:
    """Return *conninfo* with little time to connect, unless it says how much."""
    named = conninfo_to_dict(conninfo)
    return make_conninfo(conninfo, **{"connect_timeout": str(LOOK_S)} | named)


def _look_at_database(conninfo: str) -> None:
    """
    Raise what keeps every pass from working; a server that is away does not.

    Also warn of a server that may lose what it has acknowledged.
    """
    try:
        with store.connect(conninfo) as conn:
            database.prepare_pass(conn)
            if not store.may_post(conn):
                raise InputError(database.MAY_NOT_POST)
            risky = store.find_risky_settings(conn)
            if risky:
                # A pass is made for it, a spend is not.
                log.warning("database.may_lose_commits", settings=risky)
    except DatabaseUnreachable:
        return  # the first pass says so and waits for it
    except psycopg.Error as error:
        if not store.is_server_trouble(error):
            raise
