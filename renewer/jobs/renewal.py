"""
The renewal: one pass over all members who are due.

Work is shared between threads, processes and hosts by leases on buckets of members; a
lease lasts one batch and ends with its holder. What is posted is decided by the rules.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import psycopg

from renewer import store
from renewer.errors import InputError, NodeAway
from renewer.jobs.crew import Crew, Mates, Order, Share
from renewer.jobs.passes import (
    Options,
    Pass,
    PassReport,
    Patience,
    Planner,
    SharedRun,
    plan_member,
)
from renewer.jobs.tallies import Watch
from renewer.rules.ledger import CatchUp, Member
from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Posting
from renewer.store import After, Database, Unplanned

LEASE_PAUSE_S = 0.02
LEASE_PATIENCE_S = 60.0
"""How long a pass waits for a bucket that others hold before it goes on without."""


def renewal_planner(plans: Plans, as_of: datetime, catch_up: CatchUp) -> Planner:
    """Return the planner of an ordinary pass."""

    def plan(
        _conn: Database, members: Sequence[Member]
    ) -> Iterator[Posting | Unplanned]:
        for member in members:
            posts = partial(plan_posting, member, plans, as_of, catch_up)
            yield plan_member(member, posts)

    return plan


def renew_due(
    connect: Callable[[], Database],
    *,
    as_of: datetime,
    options: Options,
    trigger: str = "manual",
    members: Sequence[str] | None = None,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] = lambda _: None,
    report: Callable[[Posting], None] = lambda _: None,
    watch: Watch | None = None,
    run: SharedRun | None = None,
    crew: Crew | None = None,
) -> PassReport:
    """
    Post all that is due at *as_of*, for *members* or for everyone; say what was done.

    Safe to repeat, to kill and to run many times at once: each boundary is posted once.
    Busy members are walked again for a while, and are counted as left in the end.
    Named members who failed do not wait for their next try. With *dry_run* nothing is
    written. *report* is called with each posting, by several threads. *stop* ends the
    pass after the batches in hand. *watch* is shown what the pass does meanwhile. It is
    a run of its own, or goes into *run*. A *crew* of processes shares the work on many
    members, when everyone may be due. InputError when a name is unknown; NodeAway,
    once all others were seen, when a node of a cluster does not answer; psycopg's
    errors mean that the server is in trouble.
    """
    stop = stop or threading.Event()
    with connect() as conn:
        plans = Plans(store.find_plans(conn))
        if members is not None:
            find_named(conn, members)
        run_id = None
        if run is not None:
            run_id = run.run_id
        elif not dry_run:
            named = members is not None
            run_id = store.start_run(
                conn, trigger, options.catch_up, as_of, named=named
            )
        patience, clock = Patience(stop), store.read_clock(conn)
        renewal = Pass(
            renewal_planner(plans, as_of, options.catch_up),
            as_of,
            clock,
            run_id,
            progress=progress,
            report=report,
            watch=watch,
            before=run.counts if run else None,
            patience=patience,
        )
        if members is not None:
            way = Named(renewal, conn, members, options.batch_size, stop)
            busy, stopped = patience.repeat(way.go), stop.is_set()
        else:
            walk = Walk(renewal, connect, options, stop)
            if crew is not None and run_id is not None:
                order = Order(crew, options, plans, as_of, clock, run_id)
                walk_together(walk, conn, order, Mates(order, renewal, stop))
            busy = patience.repeat(lambda: walk.go(conn))
            stopped = walk.is_stopped
            if walk.away:
                renewal.give_up(conn, walk.away)
        renewal.skip(busy)
        left = None if dry_run else store.count_due(conn, as_of, members)
        return renewal.finish(conn, stopped=stopped, left=left)


def walk_together(walk: "Walk", conn: Database, order: Order, mates: Mates) -> None:
    """
    See all buckets to their end with as many processes as who is due is worth.

    Members who were busy, or whom a process that was lost had in hand, are still due.
    """
    size = order.crew.measure(conn, order.as_of, order.options.batch_size)
    if size == 1:
        return
    try:
        for place in range(1, size):
            mates.start(Share(place, size))
        walk.go(conn, Share(0, size))
        walk.go(conn)
        mates.wait(conn)
    except BaseException:
        mates.dismiss()
        raise


def find_named(conn: Database, members: Sequence[str]) -> list[Member]:
    """Return the members an operator named; InputError when one is unknown."""
    found = store.find_members(conn, members)
    missing = sorted(set(members) - {member.member_id for member in found})
    if missing:
        raise InputError(
            f"unknown member {missing[0]!r}: nothing was done; "
            "check the name or `renewer import` them"
        )
    return found


class Named:
    """The way of a pass through members an operator named, or a call announced."""

    def __init__(
        self,
        renewal: Pass,
        conn: Database,
        members: Sequence[str],
        batch_size: int,
        stop: threading.Event,
    ) -> None:
        self._renewal = renewal
        self._conn = conn
        self._members = members
        self._batch_size = batch_size
        self._stop = stop
        self._has_tried = False

    def go(self) -> int:
        """Post those who are due; return how many were busy."""
        as_of, size, busy = self._renewal.as_of, self._batch_size, 0
        due = store.find_due_among(
            self._conn, self._members, as_of, heed_retry=self._has_tried
        )
        self._has_tried = True
        for start in range(0, len(due), size):
            if self._stop.is_set():
                break
            names = due[start : start + size]
            members = store.find_members(self._conn, names)
            busy += len(self._renewal.post(self._conn, members))
        return busy


@dataclass(slots=True)
class Bucket:
    """How far a pass has come in one bucket, and since when others have it."""

    number: int
    after: After = field(default_factory=After)
    waiting_since: float | None = None


class Walk:
    """The way of a pass's threads through all buckets that hold a due member."""

    def __init__(
        self,
        renewal: Pass,
        connect: Callable[[], Database],
        options: Options,
        stop: threading.Event,
    ) -> None:
        self._renewal = renewal
        self._connect = connect
        self._options = options
        self._stop = stop
        self._broken = threading.Event()
        self._buckets: deque[Bucket] = deque()
        self._busy = 0
        self._guard = threading.Lock()
        self.away: set[str] = set()
        """Which nodes of a cluster do not answer; their members stay due."""

    @property
    def is_stopped(self) -> bool:
        """Whether the pass was asked to leave before it had seen all buckets."""
        return bool(self._buckets)

    def go(self, conn: Database, share: Share | None = None) -> int:
        """See each bucket, or a *share*'s, to its end; return how many were busy."""
        self._busy = 0
        due = store.find_due_buckets(conn, self._renewal.as_of, self.away.add)
        if share is not None:
            due = [number for number in due if share.has(number)]
        self._buckets = deque(Bucket(number) for number in due)
        threads = max(1, min(self._options.threads, len(due)))
        with ThreadPoolExecutor(threads, "renewal") as pool:
            works = [pool.submit(self._work) for _ in range(threads)]
            try:
                for work in works:
                    work.result()
            except BaseException:
                # The other threads leave, too; the caller's *stop* is not ours to set.
                self._broken.set()
                raise
        return self._busy

    def _work(self) -> None:
        """Do batches of one bucket after the other until none is left."""
        with self._connect() as conn, self._connect() as leases:
            while not (self._stop.is_set() or self._broken.is_set()):
                try:
                    bucket = self._buckets.popleft()
                except IndexError:
                    return
                try:
                    is_done = self._step(conn, leases, bucket)
                except (psycopg.Error, NodeAway) as error:
                    if not store.is_node_away(conn, error):
                        raise
                    self.away.add(store.one_line(error))
                    is_done = True
                if not is_done:
                    self._buckets.append(bucket)

    def _step(self, conn: Database, leases: Database, bucket: Bucket) -> bool:
        """Do one batch of a bucket; return whether this pass is done with it."""
        with leases.transaction():
            if store.lease_bucket(leases, bucket.number):
                bucket.waiting_since = None
            elif self._wait_for_lease(bucket):
                self._renewal.show_alive(conn)
                return False
            size, as_of = self._options.batch_size, self._renewal.as_of
            retry_until = self._renewal.retry_from
            due, bucket.after = store.find_due(
                conn, bucket.number, as_of, retry_until, bucket.after, size
            )
            if due:
                busy = self._renewal.post(conn, due)
                with self._guard:
                    self._busy += len(busy)
        return len(due) < size

    def _wait_for_lease(self, bucket: Bucket) -> bool:
        """
        Pause before a bucket that another holds is tried again.

        Return False when it is time to go on without its lease: anybody can take an
        advisory lock. The members' versions guard what is posted, a lease only saves
        double work.
        """
        now = time.monotonic()
        bucket.waiting_since = bucket.waiting_since or now
        self._stop.wait(LEASE_PAUSE_S)
        return now - bucket.waiting_since <= LEASE_PATIENCE_S
