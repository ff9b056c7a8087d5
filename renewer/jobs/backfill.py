"""
A backfill: one pass over the members for cycles that were missed or awarded too little.

Members come in the order of their ids. Safe to stop, to repeat and to run beside the
hourly job: each member is one transaction guarded by its version, and a unique key
allows one late renewal per boundary.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from renewer.errors import InputError
from renewer.jobs.pass_request import PassRequest
from renewer.jobs.poster import Planner, planning_failure
from renewer.jobs.recorder import SILENT, PassObserver, PassReport, RunningPass
from renewer.jobs.renewal import start_pass
from renewer.rules.backfill import Backfill, plan_backfill
from renewer.rules.ledger import Member
from renewer.rules.plans import Plans
from renewer.rules.posting import Posting
from renewer.store.batches import Unplanned
from renewer.store.connection import Database
from renewer.store.history import find_awards
from renewer.store.members import find_members, find_repairable
from renewer.store.revisions import find_plans


def backfill(
    connect: Callable[[], Database],
    repair: Backfill,
    request: PassRequest,
    stop: threading.Event | None = None,
    observer: PassObserver = SILENT,
) -> PassReport:
    """
    Post what *repair* finds for the members of *request*; report what was done.

    *stop* ends it after the batch in hand. InputError when a member or a plan is
    unknown. Errors of psycopg mean that the server is in trouble.
    """
    stop = stop or threading.Event()
    with connect() as conn:
        plans = Plans(find_plans(conn))
        if repair.plan is not None and repair.plan not in plans:
            known = ", ".join(plans.codes())
            raise InputError(f"unknown plan {repair.plan!r}: the plans are {known}")
        planner = repair_planner(plans, repair, request.as_of)
        request = replace(request, trigger="backfill", reason=repair.reason)
        running = start_pass(conn, request, planner, stop, observer)
        if request.members is not None:
            members = find_members(conn, request.members)
            _post(conn, running, members)
            observer.members_read(len(members))
        else:
            _scan(conn, running, repair, request.options.batch_size)
        return running.recorder.finish(conn, stopped=stop.is_set())


def _scan(conn: Database, running: RunningPass, repair: Backfill, size: int) -> None:
    """Look at every member once, *size* at a time."""
    after = ""
    while not running.stop.is_set():
        window = find_repairable(
            conn, repair.start, repair.end, running.as_of, after, size
        )
        if window.members:
            _post(conn, running, find_members(conn, window.members))
        running.recorder.observer.members_read(window.looked)
        if window.looked < size:
            return
        after = window.last


def _post(conn: Database, running: RunningPass, members: Sequence[Member]) -> None:
    """Post *members*; retry those that are locked, and count the rest as skipped."""
    locked = running.post(conn, members)
    while running.poster.retry.pause(len(locked)):
        locked = running.post(conn, find_members(conn, locked))
    if locked:
        running.recorder.skip(len(locked))


def repair_planner(plans: Plans, repair: Backfill, as_of: datetime) -> Planner:
    """Return the planner of a backfill; it leaves out members with nothing to post."""

    def plan(
        conn: Database, members: Sequence[Member]
    ) -> Iterator[Posting | Unplanned]:
        # Read after the members: an award in between changes their version, and they
        # are planned again.
        names = [member.member_id for member in members]
        awards = find_awards(conn, names, repair.start, repair.end)
        for member in members:
            owed = awards[member.member_id]
            try:
                planned: Posting | Unplanned = plan_backfill(
                    member, plans, owed, repair, as_of
                )
            except Exception as error:
                planned = planning_failure(member, error)
            if isinstance(planned, Unplanned) or planned.entries:
                yield planned

    return plan
