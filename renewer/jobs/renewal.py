"""The renewal: one pass over all due members, or over an explicit list of members."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from renewer.errors import InputError
from renewer.jobs.parallel import HelperProcesses, HelperSpec, count_processes
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.jobs.poster import BatchPoster, LockRetry, Planner, planning_failure
from renewer.jobs.recorder import (
    SILENT,
    PassObserver,
    PassReport,
    RunningPass,
    RunRecorder,
)
from renewer.jobs.scan import BucketScan, MemberListScan, Partition
from renewer.rules.ledger import CatchUp, Member
from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Posting
from renewer.store.batches import Unplanned
from renewer.store.connection import Database, read_clock
from renewer.store.members import count_due, find_members
from renewer.store.revisions import find_plans
from renewer.store.runs import start_run


def renewal_planner(plans: Plans, as_of: datetime, catch_up: CatchUp) -> Planner:
    """Return the planner of a renewal."""

    def plan(
        _conn: Database, members: Sequence[Member]
    ) -> Iterator[Posting | Unplanned]:
        for member in members:
            try:
                planned: Posting | Unplanned = plan_posting(
                    member, plans, as_of, catch_up
                )
            except Exception as error:
                planned = planning_failure(member, error)
            yield planned

    return plan


def renew_due(
    connect: Callable[[], Database],
    request: PassRequest,
    stop: threading.Event | None = None,
    observer: PassObserver = SILENT,
) -> PassReport:
    """
    Post all that is due for the members of *request*; report what was done.

    Safe to repeat, to kill and to run many times at once: each boundary is posted once.
    *stop* ends the pass after the batches in hand. Locked members are retried for a
    while, then counted as left.

    InputError when a member is unknown. NodeAway when a node of a cluster does not
    answer, once the members of all others were posted. Errors of psycopg mean that the
    server is in trouble.
    """
    stop = stop or threading.Event()
    with connect() as conn:
        planner = renewal_planner(
            Plans(find_plans(conn)), request.as_of, request.options.catch_up
        )
        running = start_pass(conn, request, planner, stop, observer)
        recorder, retry = running.recorder, running.poster.retry
        scan: MemberListScan | BucketScan
        if request.members is None:
            scan = BucketScan(running, connect, request.options)
            _scan_with_helpers(conn, running, scan, request.options)
        else:
            size = request.options.batch_size
            scan = MemberListScan(running, request.members, size)
        locked = scan.run(conn)
        while retry.pause(locked):
            locked = scan.run(conn)
        if scan.away:
            recorder.give_up(conn, scan.away)
        recorder.skip(locked)
        left = None
        if not request.dry_run:
            left = count_due(conn, request.as_of, request.members)
        return recorder.finish(conn, stopped=scan.is_stopped, left=left)


def start_pass(
    conn: Database,
    request: PassRequest,
    planner: Planner,
    stop: threading.Event,
    observer: PassObserver,
) -> RunningPass:
    """Check the explicit members of *request* and open its run, unless it has one."""
    as_of, run_id = request.as_of, request.run_id
    if request.members is not None:
        refuse_unknown_members(conn, request.members)
    if run_id is None and not request.dry_run:
        run_id = start_run(
            conn,
            request.trigger,
            request.options.catch_up,
            as_of,
            request.reason,
            named=request.members is not None,
        )
    retry_from = min(as_of, read_clock(conn))
    poster = BatchPoster(planner, run_id, retry_from, LockRetry(stop))
    return RunningPass(as_of, poster, RunRecorder(run_id, as_of, observer), stop)


def refuse_unknown_members(conn: Database, members: Sequence[str]) -> None:
    """Raise InputError when one of the explicit *members* is unknown."""
    known = {member.member_id for member in find_members(conn, members)}
    missing = sorted(set(members) - known)
    if missing:
        raise InputError(
            f"unknown member {missing[0]!r}: nothing was done; "
            "check the name or `renewer import` them"
        )


def _scan_with_helpers(
    conn: Database, running: RunningPass, scan: BucketScan, options: PassOptions
) -> None:
    """
    Process every bucket, with as many helpers as the number of due members justifies.

    Members that were locked, or that a crashed helper was posting, stay due and are
    found by the next scan.
    """
    settings, run_id = options.helpers, running.recorder.run_id
    if settings is None or run_id is None:
        return
    as_of, retry_from = running.as_of, running.poster.retry_from
    processes = count_processes(conn, settings, as_of, options.batch_size)
    if processes == 1:
        return
    helpers = HelperProcesses(running.recorder, settings, running.stop)
    shared = replace(options, helpers=None)
    partitions = [Partition(index, processes) for index in range(processes)]
    try:
        helpers.start(
            [
                HelperSpec(settings, shared, run_id, as_of, retry_from, partition)
                for partition in partitions[1:]
            ]
        )
        scan.run(conn, partitions[0])
        scan.run(conn)
        helpers.wait(conn)
    except BaseException:
        helpers.dismiss()
        raise
