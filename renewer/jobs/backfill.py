"""
A backfill: one pass over the members in the order of their ids, for cycles that were missed or awarded too little.

Safe to stop, to repeat and to run beside the hourly job: each member is one transaction guarded by their version, and
a unique key allows one late renewal a boundary.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from renewer import store
from renewer.errors import InputError
from renewer.jobs.passes import Options, Outcome, Pass, Planner, finish, plan_member, post
from renewer.jobs.renewal import find_named
from renewer.rules.ledger import CatchUp, Member, Plans
from renewer.rules.posting import Posting
from renewer.rules.repair import Repair, plan_backfill
from renewer.store import Database, Failed


def backfill(
    connect: Callable[[], Database],
    repair: Repair,
    *,
    as_of: datetime,
    settings: Options,
    members: Sequence[str] | None = None,
    dry_run: bool = False,
    stop: threading.Event,
    progress: Callable[[int], None],
    report: Callable[[Posting], None],
) -> Outcome:
    """
    Post what *repair* finds, for *members* or for everyone; *report* is called with each posting, *progress* with each
    number of members looked at.

    With *dry_run* nothing is written. *stop* ends it after the batch in hand. InputError when a name or a plan is
    unknown; psycopg's errors mean that the server is in trouble.
    """
    began = time.monotonic()
    with connect() as conn:
        plans = Plans(store.find_plans(conn))
        if repair.plan is not None and repair.plan not in plans:
            raise InputError(f"unknown plan {repair.plan!r}: the plans are {', '.join(plans.codes())}")
        named = None if members is None else find_named(conn, members)
        run_id = None if dry_run else store.start_run(conn, "backfill", CatchUp.EACH, as_of, repair.reason)
        planner = plan_repair(plans, repair, as_of)
        renewal = Pass(connect, as_of, planner, settings, run_id, stop, lambda _: None, report)
        if named is not None:
            post(renewal, conn, named)
            progress(len(named))
        else:
            _walk(renewal, conn, repair, progress)
        return finish(renewal, conn, began, stopped=stop.is_set())


def _walk(renewal: Pass, conn: Database, repair: Repair, progress: Callable[[int], None]) -> None:
    """Look at every member once, a window at a time."""
    after, size = "", renewal.settings.batch_size
    while not renewal.stop.is_set():
        window = store.find_repairable(conn, repair.start, repair.end, renewal.as_of, after, size)
        if window.members:
            post(renewal, conn, store.find_members(conn, window.members))
        progress(window.looked)
        if window.looked < size:
            return
        after = window.last


def plan_repair(plans: Plans, repair: Repair, as_of: datetime) -> Planner:
    """Return the planner of a backfill; it leaves out who has nothing to post."""

    def plan(conn: Database, members: Sequence[Member]) -> Iterator[Posting | Failed]:
        # Read after the members: whatever is awarded in between changes their version, and they are planned again.
        awards = store.find_awards(conn, [member.member_id for member in members], repair.start, repair.end)
        for member in members:
            posts = partial(plan_backfill, member, plans, awards[member.member_id], repair, as_of)
            planned = plan_member(member, posts)
            if isinstance(planned, Failed) or planned.entries:
                yield planned

    return plan
