"""
The renewal: one pass over all members who are due.

Work is shared between threads, processes and hosts by leases on shards of members; a lease lasts one batch and
ends with its holder. What is posted is decided by `policy` alone.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from renewer import store
from renewer.errors import InputError
from renewer.jobs.passes import Counts, Options, Outcome, Pass, Planner, finish, plan_member, post
from renewer.rules.ledger import CatchUp, Member, Plans
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Posting
from renewer.store import After, Database, Failed

LEASE_PAUSE_S = 0.02
LEASE_PATIENCE_S = 60.0
"""How long a pass waits for shards that others hold before it leaves them to their holders."""


@dataclass(slots=True)
class Walk:
    """How far a pass has come in one shard."""

    shard: int
    after: After = field(default_factory=After)
    waiting_since: float | None = None


def plan_due(plans: Plans, as_of: datetime, catch_up: CatchUp) -> Planner:
    """Return the planner of an ordinary pass."""

    def plan(_conn: Database, members: Sequence[Member]) -> Iterator[Posting | Failed]:
        for member in members:
            yield plan_member(member, partial(plan_posting, member, plans, as_of, catch_up))

    return plan


def renew_due(
    connect: Callable[[], Database],
    *,
    as_of: datetime,
    settings: Options,
    trigger: str = "manual",
    members: Sequence[str] | None = None,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """
    Post all that is due at *as_of*, for *members* or for everyone, and return what was done.

    Safe to repeat, to kill and to run many times at once: each boundary is posted once. With *dry_run* nothing is
    written. *stop* ends the pass after the batches in hand. psycopg's errors mean that the server is in trouble.
    """
    began = time.monotonic()
    with connect() as conn:
        planner = plan_due(Plans(store.find_plans(conn)), as_of, settings.catch_up)
        named = None if members is None else find_named(conn, members)
        run_id = None if dry_run else store.start_run(conn, trigger, settings.catch_up, as_of)
        renewal = Pass(connect, as_of, planner, settings, run_id, stop or threading.Event(), progress)
        walks: deque[Walk] = deque()
        if named is not None:
            post(renewal, conn, [member for member in named if _has_something(renewal, conn, member)])
        else:
            walks.extend(Walk(shard) for shard in store.find_due_shards(conn, as_of))
            _share(renewal, walks)
        return finish(renewal, conn, began, stopped=bool(walks))


def find_named(conn: Database, members: Sequence[str]) -> list[Member]:
    """Return the members named by an operator; InputError when one is unknown."""
    found = store.find_members(conn, members)
    missing = sorted(set(members) - {member.member_id for member in found})
    if missing:
        raise InputError(f"unknown member {missing[0]!r}: nothing was done; check the name or `renewer import` them")
    return found


def _has_something(renewal: Pass, conn: Database, member: Member) -> bool:
    """Whether a named member has anything to post: one that failed is tried again without waiting its turn."""
    if member.due_at is None:
        return False
    (planned,) = renewal.planner(conn, [member])
    return isinstance(planned, Failed) or bool(planned.entries) or member.due_at <= renewal.as_of


def _share(renewal: Pass, walks: deque[Walk]) -> None:
    """Let threads work on the shards until each has been seen to its end."""
    threads = max(1, min(renewal.settings.workers, len(walks)))
    with ThreadPoolExecutor(threads, "renewal") as pool:
        works = [pool.submit(_work, renewal, walks) for _ in range(threads)]
        try:
            for work in works:
                work.result()
        except BaseException:
            renewal.stop.set()
            raise


def _work(renewal: Pass, walks: deque[Walk]) -> None:
    with renewal.connect() as conn, renewal.connect() as leases:
        while not renewal.stop.is_set():
            try:
                walk = walks.popleft()
            except IndexError:
                return
            if not _step(renewal, conn, leases, walk):
                walks.append(walk)


def _step(renewal: Pass, conn: Database, leases: Database, walk: Walk) -> bool:
    """Do one batch of a shard; return whether this pass is done with it."""
    size = renewal.settings.batch_size
    with leases.transaction():
        if not store.lease_shard(leases, walk.shard):
            renewal.record(conn, Counts(), ())
            return _wait(walk)
        walk.waiting_since = None
        due = store.find_due(conn, walk.shard, renewal.as_of, walk.after, size)
        if due:
            post(renewal, conn, due)
            last = due[-1]
            assert last.due_at is not None
            walk.after = After(last.due_at, last.member_id)
    return len(due) < size


def _wait(walk: Walk) -> bool:
    """Pause before a shard that another holds is tried again; return whether it is left to its holder."""
    now = time.monotonic()
    walk.waiting_since = walk.waiting_since or now
    time.sleep(LEASE_PAUSE_S)
    return now - walk.waiting_since > LEASE_PATIENCE_S
