"""
What every pass does with members, whoever found them: plan and post them in batches, count, record.

What is posted is decided by a planner and guarded by the member's version.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta

import psycopg
import structlog

from renewer import store
from renewer.errors import RenewerError
from renewer.rules.ledger import CatchUp, Kind, Member
from renewer.rules.posting import Posting
from renewer.store import Database, Failed

CONFLICTS = 3
"""How often a member that changed meanwhile is planned again before it is locked."""

LOCK_TIMEOUT_S = 2.0
RECORD_EVERY_S = 2.0
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
class Options:
    """How a pass goes about its work; none of it changes what is posted, *catch_up* excepted."""

    catch_up: CatchUp = CatchUp.EACH
    workers: int = 2
    batch_size: int = 500


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
    settings: Options
    run_id: int | None
    stop: threading.Event
    progress: Callable[[int], None]
    report: Callable[[Posting], None] = lambda _: None
    counts: Counts = field(default_factory=Counts)
    failures: list[tuple[str, str]] = field(default_factory=list)
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
        return Failed(member, type(error).__name__, str(error), error.plan, error.timezone)
    except Exception as error:
        return Failed(
            member,
            type(error).__name__,
            store.one_line(error) or f"{type(error).__name__} while planning: a defect of renewer, please report it",
        )


def finish(renewal: Pass, conn: Database, began: float, *, stopped: bool) -> Outcome:
    """Record that a pass ends that *began* by the monotonic clock, and return what it has to report."""
    if renewal.run_id is not None:
        # The one synchronous write of a pass: it flushes every asynchronous commit before it.
        store.record_progress(conn, renewal.run_id, renewal.counts.as_dict(), finished=True, stopped=stopped)
    seconds = round(time.monotonic() - began, 3)
    return Outcome(renewal.run_id, renewal.as_of, renewal.counts, tuple(renewal.failures), seconds, stopped)


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


def log_pass(outcome: Outcome, what: str = "renewal") -> None:
    """Write the one canonical line of a pass; *what* it was is the event's noun."""
    event = f"{what}.pass_stopped" if outcome.stopped else f"{what}.pass_finished"
    structlog.get_logger().info(
        event,
        run_id=outcome.run_id,
        as_of=outcome.as_of.isoformat(),
        seconds=outcome.seconds,
        **outcome.counts.as_dict(),
    )
