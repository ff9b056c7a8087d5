"""
Scans: how a pass finds the members it posts.

Threads, processes and hosts share the work by leases on buckets of members; a lease
lasts one batch and ends with its holder.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from renewer.errors import NodeAway
from renewer.jobs.pass_request import PassOptions
from renewer.jobs.recorder import RunningPass
from renewer.rules.value import value
from renewer.store import members as member_rows
from renewer.store.batches import lease_bucket
from renewer.store.cluster import is_node_away
from renewer.store.connection import Database, one_line
from renewer.store.members import After

LEASE_PAUSE_S = 0.02
LEASE_TIMEOUT_S = 60.0
"""How long a pass waits for the lease of a bucket before it goes on without it."""


@value
class Partition:
    """The buckets of one of *count* processes, as a first share of the work."""

    index: int
    count: int

    def has(self, bucket: int) -> bool:
        """Return whether *bucket* belongs to this partition."""
        return bucket % self.count == self.index


class MemberListScan:
    """Posts an explicit list of members."""

    def __init__(
        self, running: RunningPass, members: Sequence[str], batch_size: int
    ) -> None:
        self._running = running
        self._members = members
        self._batch_size = batch_size
        self._has_tried = False
        self.away: set[str] = set()
        """Always empty: a node that does not answer ends a scan of a list."""

    @property
    def is_stopped(self) -> bool:
        """Return whether the pass was asked to stop."""
        return self._running.stop.is_set()

    def run(self, conn: Database) -> int:
        """
        Post the members that are due; return how many stayed locked.

        The first time, failed members do not wait for their next try.
        """
        due = member_rows.find_due_among(
            conn, self._members, self._running.as_of, heed_retry=self._has_tried
        )
        self._has_tried = True
        locked = 0
        for start in range(0, len(due), self._batch_size):
            if self.is_stopped:
                break
            batch = due[start : start + self._batch_size]
            members = member_rows.find_members(conn, batch)
            locked += len(self._running.post(conn, members))
        return locked


@dataclass(slots=True)
class Bucket:
    """Scan position in one bucket, and since when another process holds its lease."""

    number: int
    after: After = field(default_factory=After)
    waiting_since: float | None = None


class BucketScan:
    """Posts all due members, bucket by bucket, with several threads."""

    def __init__(
        self,
        running: RunningPass,
        connect: Callable[[], Database],
        options: PassOptions,
    ) -> None:
        self._running = running
        self._connect = connect
        self._options = options
        self._broken = threading.Event()
        self._buckets: deque[Bucket] = deque()
        self._locked = 0
        self._guard = threading.Lock()
        self.away: set[str] = set()
        """Nodes of a cluster that do not answer; their members stay due."""

    @property
    def is_stopped(self) -> bool:
        """Return whether the pass was asked to stop before it had seen all buckets."""
        return bool(self._buckets)

    def run(self, conn: Database, partition: Partition | None = None) -> int:
        """
        Process every bucket that holds a due member, or those of *partition*.

        Return how many members stayed locked.
        """
        self._locked = 0
        due = member_rows.find_due_buckets(conn, self._running.as_of, self.away.add)
        if partition is not None:
            due = [number for number in due if partition.has(number)]
        self._buckets = deque(Bucket(number) for number in due)
        threads = max(1, min(self._options.threads, len(due)))
        with ThreadPoolExecutor(threads, "renewal") as pool:
            works = [pool.submit(self._work) for _ in range(threads)]
            try:
                for work in works:
                    work.result()
            except BaseException:
                # The other threads end, too; the caller's *stop* is not ours to set.
                self._broken.set()
                raise
        return self._locked

    def _work(self) -> None:
        """Post batches of one bucket after the other until none is left."""
        with self._connect() as conn, self._connect() as leases:
            while not (self._running.stop.is_set() or self._broken.is_set()):
                try:
                    bucket = self._buckets.popleft()
                except IndexError:
                    return
                try:
                    is_done = self._step(conn, leases, bucket)
                except (psycopg.Error, NodeAway) as error:
                    if not is_node_away(conn, error):
                        raise
                    self.away.add(one_line(error))
                    is_done = True
                if not is_done:
                    self._buckets.append(bucket)

    def _step(self, conn: Database, leases: Database, bucket: Bucket) -> bool:
        """Post one batch of *bucket*; return whether this pass is done with it."""
        running, size = self._running, self._options.batch_size
        with leases.transaction():
            if lease_bucket(leases, bucket.number):
                bucket.waiting_since = None
            elif self._wait_for_lease(bucket):
                running.recorder.keep_alive(conn)
                return False
            due, bucket.after = member_rows.find_due(
                conn,
                bucket.number,
                running.as_of,
                running.poster.retry_from,
                bucket.after,
                size,
            )
            if due:
                locked = running.post(conn, due)
                with self._guard:
                    self._locked += len(locked)
        return len(due) < size

    def _wait_for_lease(self, bucket: Bucket) -> bool:
        """
        Pause before the lease of *bucket* is tried again.

        Return False after LEASE_TIMEOUT_S: anybody can take an advisory lock, so the
        pass goes on without it. The members' versions guard what is posted; a lease
        only saves double work.
        """
        now = time.monotonic()
        bucket.waiting_since = bucket.waiting_since or now
        self._running.stop.wait(LEASE_PAUSE_S)
        return now - bucket.waiting_since <= LEASE_TIMEOUT_S
