"""
A backfill: one pass over the members for cycles that were missed or awarded too little.

Members come in the order of their ids. Safe to stop, to repeat and to run beside the
hourly job: each member is one transaction guarded by their version, and a unique key
allows one late renewal a boundary.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial

from renewer import store
from renewer.errors import InputError
from renewer.jobs.passes import (
    Options,
    Pass,
    PassReport,
    Patience,
    Planner,
    plan_member,
)
from renewer.jobs.renewal import find_named
from renewer.rules.backfill import Backfill, plan_backfill
from renewer.rules.ledger import CatchUp, Member
from renewer.rules.plans import Plans
from renewer.rules.posting import Posting
from renewer.store import Database, Unplanned


def backfill(
    connect: Callable[[], Database],
    repair: Backfill,
    *,
    as_of: datetime,
    options: Options,
    members: Sequence[str] | None = None,
    dry_run: bool = False,
    stop: threading.Event,
    progress: Callable[[int], None],
    report: Callable[[Posting], None],
) -> PassReport:
    """
    Post what *repair* finds, for *members* or for everyone.

    *report* is called with each posting, *progress* with each number of members looked
    at. With *dry_run* nothing is written. *stop* ends it after the batch in hand.
    InputError when a name or a plan is unknown; psycopg's errors mean that the server
    is in trouble.
    """
    with connect() as conn:
        plans = Plans(store.find_plans(conn))
        if repair.plan is not None and repair.plan not in plans:
            known = ", ".join(plans.codes())
            raise InputError(f"unknown plan {repair.plan!r}: the plans are {known}")
        named = None if members is None else find_named(conn, members)
        run_id = None
        if not dry_run:
            run_id = store.start_run(
                conn,
                "backfill",
                CatchUp.EACH,
                as_of,
                repair.reason,
                named=named is not None,
            )
        planner = repair_planner(plans, repair, as_of)
        clock = store.read_clock(conn)
        patience = Patience(stop)
        repairing = Pass(
            planner, as_of, clock, run_id, report=report, patience=patience
        )
        if named is not None:
            _post(repairing, conn, named, patience)
            progress(len(named))
        else:
            size = options.batch_size
            _walk(repairing, conn, repair, size, stop, patience, progress)
        return repairing.finish(conn, stopped=stop.is_set())


def _walk(
    repairing: Pass,
    conn: Database,
    repair: Backfill,
    size: int,
    stop: threading.Event,
    patience: Patience,
    progress: Callable[[int], None],
) -> None:
    """Look at every member once, *size* at a time."""
    after = ""
    while not stop.is_set():
        window = store.find_repairable(
            conn, repair.start, repair.end, repairing.as_of, after, size
        )
        if window.members:
            members = store.find_members(conn, window.members)
            _post(repairing, conn, members, patience)
        progress(window.looked)
        if window.looked < size:
            return
        after = window.last


def _post(
    repairing: Pass, conn: Database, members: list[Member], patience: Patience
) -> None:
    """Post *members*; those who are busy are tried again, in the end counted so."""

    def once() -> int:
        nonlocal members
        busy = repairing.post(conn, members)
        members = store.find_members(conn, busy) if busy else []
        return len(busy)

    repairing.skip(patience.repeat(once))


def repair_planner(plans: Plans, repair: Backfill, as_of: datetime) -> Planner:
    """Return the planner of a backfill; it leaves out who has nothing to post."""

    def plan(
        conn: Database, members: Sequence[Member]
    ) -> Iterator[Posting | Unplanned]:
        # Read after the members: whatever is awarded in between changes their version,
        # and they are planned again.
        names = [member.member_id for member in members]
        awards = store.find_awards(conn, names, repair.start, repair.end)
        for member in members:
            owed = awards[member.member_id]
            posts = partial(plan_backfill, member, plans, owed, repair, as_of)
            planned = plan_member(member, posts)
            if isinstance(planned, Unplanned) or planned.entries:
                yield planned

    return plan
