"""
One pass of the job: find who is due, plan, post, record.

Work is shared between threads, processes and hosts by leases on shards of members; a lease lasts one batch and
ends with its holder. What is posted is decided by `policy` alone and guarded by the member's version.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import partial

import psycopg

from renewer import store
from renewer.errors import InputError, RenewerError
from renewer.ledger import CatchUp, Kind, Member, Plans
from renewer.policy import plan_posting
from renewer.posting import Posting
from renewer.store import After, Database, Failed

CONFLICTS = 3
"""How often a member that changed meanwhile is planned again before it is locked."""

LOCK_TIMEOUT_S = 2.0
RECORD_EVERY_S = 2.0
LEASE_PAUSE_S = 0.02
LEASE_PATIENCE_S = 60.0
"""How long a pass waits for shards that others hold before it leaves them to their holders."""

FIRST_RETRY = timedelta(minutes=50)
"""A little less than the hour between passes, so that the next pass tries again."""
LAST_RETRY = timedelta(hours=24)


@dataclass(slots=True)
class Counts:
    """What a pass did, in members, each counted once by the most that happened; *entries* in rows of the ledger."""

    due: int = 0
    renewed: int = 0
    late: int = 0
    expired: int = 0
    applied: int = 0
    skipped: int = 0
    failed: int = 0
    entries: int = 0

    def add(self, other: "Counts") -> None:
        """Add the counts of a batch."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass has to report; a dry run has no *run_id*, a *stopped* one left members for the next."""

    run_id: int | None
    as_of: datetime
    counts: Counts
    failures: tuple[tuple[str, str], ...]
    seconds: float
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pass goes about its work; none of it changes what is posted, *catch_up* excepted."""

    catch_up: CatchUp = CatchUp.EACH
    workers: int = 2
    batch_size: int = 500


@dataclass(slots=True)
class Walk:
    """How far a pass has come in one shard."""

    shard: int
    after: After = field(default_factory=After)
    waiting_since: float | None = None


SHOWN_FAILURES = 100
"""How many failures a pass keeps to show; all of them are in table failure."""


Planner = Callable[[Database, Sequence[Member]], Iterable[Posting | Failed]]
"""Plans what is posted for each of some members; those it leaves out have nothing to post."""


@dataclass(slots=True)
class Pass:
    """The state the threads of one pass share."""

    connect: Callable[[], Database]
    as_of: datetime
    planner: Planner
    settings: Settings
    run_id: int | None
    stop: threading.Event
    progress: Callable[[int], None]
    report: Callable[[Posting], None] = lambda _: None
    counts: Counts = field(default_factory=Counts)
    failures: list[tuple[str, str]] = field(default_factory=list)
    walks: deque[Walk] = field(default_factory=deque)
    guard: threading.Lock = field(default_factory=threading.Lock)
    recorded: float = field(default_factory=time.monotonic)

    def record(self, conn: Database, counts: Counts, failures: Sequence[tuple[str, str]]) -> None:
        """Add what one batch did and, now and then, write the counts so far into the run."""
        with self.guard:
            self.counts.add(counts)
            self.failures.extend(failures[: SHOWN_FAILURES - len(self.failures)])
            self.progress(counts.due)
            now = time.monotonic()
            if self.run_id is not None and now - self.recorded > RECORD_EVERY_S:
                self.recorded = now
                store.record_progress(conn, self.run_id, self.counts.as_dict())


def plan_member(member: Member, plan: Callable[[], Posting]) -> Posting | Failed:
    """Return what *plan* does for *member*; whatever goes wrong there is that member's failure and nobody else's."""
    try:
        return plan()
    except RenewerError as error:
        return Failed(member, type(error).__name__, str(error))
    except Exception as error:
        return Failed(member, type(error).__name__, store.one_line(error) or "no message")


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
    settings: Settings,
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
        if named is not None:
            post(renewal, conn, [member for member in named if _has_something(renewal, conn, member)])
        else:
            renewal.walks.extend(Walk(shard) for shard in store.find_due_shards(conn, as_of))
            _share(renewal)
        return finish(renewal, conn, began, stopped=bool(renewal.walks))


def finish(renewal: Pass, conn: Database, began: float, *, stopped: bool) -> Outcome:
    """Record that a pass ends that *began* by the monotonic clock, and return what it has to report."""
    if renewal.run_id is not None:
        # The one synchronous write of a pass: it flushes every asynchronous commit before it.
        store.record_progress(conn, renewal.run_id, renewal.counts.as_dict(), finished=True, stopped=stopped)
    seconds = round(time.monotonic() - began, 3)
    return Outcome(renewal.run_id, renewal.as_of, renewal.counts, tuple(renewal.failures), seconds, stopped)


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


def _share(renewal: Pass) -> None:
    """Let threads work on the shards until each has been seen to its end."""
    threads = max(1, min(renewal.settings.workers, len(renewal.walks)))
    with ThreadPoolExecutor(threads, "renewal") as pool:
        works = [pool.submit(_work, renewal) for _ in range(threads)]
        try:
            for work in works:
                work.result()
        except BaseException:
            renewal.stop.set()
            raise


def _work(renewal: Pass) -> None:
    with renewal.connect() as conn, renewal.connect() as leases:
        while not renewal.stop.is_set():
            try:
                walk = renewal.walks.popleft()
            except IndexError:
                return
            if not _step(renewal, conn, leases, walk):
                renewal.walks.append(walk)


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


def post(renewal: Pass, conn: Database, members: Sequence[Member]) -> None:
    """Plan and post *members*; one that changed meanwhile is read and planned again, in the end under a lock."""
    counts = Counts()
    failures: list[tuple[str, str]] = []
    waiting = members
    for attempt in range(CONFLICTS):
        planned = {_member_id(item): item for item in renewal.planner(conn, waiting)}
        if attempt == 0:
            counts.due = len(planned)
        else:
            counts.skipped += len(waiting) - len(planned)  # another process did meanwhile what there was to do
        again = []
        for refusal in _send(renewal, conn, planned.values()):
            del planned[refusal.member_id]
            if refusal.outcome == "failed":
                failures.append((refusal.member_id, refusal.message or ""))
                counts.failed += 1
            else:
                again.append(refusal.member_id)
        for item in planned.values():
            assert isinstance(item, Posting)
            _count(renewal, counts, item)
        waiting = store.find_members(conn, again) if again else []
        if not waiting:
            break
    for member in waiting:
        _post_locked(renewal, conn, member, counts, failures)
    renewal.record(conn, counts, failures)


def _member_id(item: Posting | Failed) -> str:
    return item.member.member_id if isinstance(item, Failed) else item.before.member_id


def _send(renewal: Pass, conn: Database, planned: Iterable[Posting | Failed]) -> list[store.Refusal]:
    """Send what was planned to the posting procedure; a dry run only says what would fail."""
    if renewal.run_id is None:
        return [
            store.Refusal(item.member.member_id, "failed", item.code, item.message)
            for item in planned
            if isinstance(item, Failed)
        ]
    rows = [
        (item, retry_at(renewal.as_of, _attempts(item)))
        for item in planned
        if isinstance(item, Failed) or item.after != item.before
    ]
    return store.post_batch(conn, rows, renewal.run_id) if rows else []


def _attempts(item: Posting | Failed) -> int:
    return item.member.attempts if isinstance(item, Failed) else item.before.attempts


def retry_at(as_of: datetime, attempts: int) -> datetime:
    """Return when a member is tried again that fails now and failed *attempts* times before: each wait doubles."""
    return as_of + min(FIRST_RETRY * (1 << min(attempts, 10)), LAST_RETRY)


def _count(renewal: Pass, counts: Counts, posting: Posting) -> None:
    """Count one posted member by the most that happened to them."""
    renewal.report(posting)
    counts.entries += len(posting.entries)
    if posting.renewals:
        counts.renewed += 1
    elif any(entry.kind is Kind.LATE_RENEWAL for entry in posting.entries):
        counts.late += 1
    elif posting.applied:
        counts.applied += 1
    elif any(entry.kind is Kind.EXPIRY for entry in posting.entries):
        counts.expired += 1
    else:
        counts.skipped += 1


def _post_locked(
    renewal: Pass, conn: Database, member: Member, counts: Counts, failures: list[tuple[str, str]]
) -> None:
    """Plan and post one much-changed member in a single transaction; one that is still busy stays due."""
    assert renewal.run_id is not None
    try:
        with conn.transaction():
            store.lock_member(conn, member.member_id, LOCK_TIMEOUT_S)
            (fresh,) = store.find_members(conn, [member.member_id])
            planned = list(renewal.planner(conn, [fresh]))
            if not planned:
                counts.skipped += 1
                return
            (item,) = planned
            if isinstance(item, Posting):
                store.post_locked(conn, item, renewal.run_id)
                _count(renewal, counts, item)
                return
    except psycopg.errors.LockNotAvailable:
        counts.skipped += 1
        return
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        item = Failed(member, error.sqlstate or type(error).__name__, store.one_line(error))
    store.post_batch(conn, [(item, retry_at(renewal.as_of, member.attempts))], renewal.run_id)
    failures.append((member.member_id, item.message))
    counts.failed += 1
