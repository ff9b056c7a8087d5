"""
What every pass does with members, whoever found them.

What is posted is decided by a planner and guarded by the member's version.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NoReturn

import psycopg
import structlog

from renewer import store
from renewer.errors import NodeAway, RenewerError
from renewer.jobs.tallies import Tally, Watch
from renewer.rules.ledger import CatchUp, Kind, Member, value
from renewer.rules.posting import Posting
from renewer.store import Backlog, Database, Outcome, Unplanned, Unposted

CONFLICTS = 3
"""How often a member that changes meanwhile is planned before it is locked."""

BUSY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
"""Errors that mean that somebody else has the member: they stay due, nobody failed."""

BUSY_PATIENCE_S = 30.0
BUSY_PAUSE_S = 0.25
LOCK_TIMEOUT_S = 2.0
WAIT_S = 0.5
"""How long the busy members of a batch are waited for in a round, all together."""
LEAST_WAIT_S = 0.01
RECORD_EVERY_S = 2.0
FIRST_RETRY = timedelta(minutes=50)
"""A little less than the hour between passes, so that the next pass tries again."""
LAST_RETRY = timedelta(hours=24)
SHOWN_FAILURES = 100
"""How many failures a pass keeps to show; all of them are in table failure."""


@dataclass(slots=True)
class Counts:
    """
    What a pass did, in members, each counted once by the most that happened.

    *entries* counts rows of the ledger.
    """

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
            total = getattr(self, each.name) + getattr(other, each.name)
            setattr(self, each.name, total)

    def add_posting(self, posting: Posting) -> None:
        """Count one posted member by the most that happened to them."""
        self.entries += len(posting.entries)
        if posting.posts(Kind.RENEWAL):
            self.renewed += 1
        elif posting.posts(Kind.LATE_RENEWAL):
            self.late += 1
        elif posting.applied:
            self.applied += 1
        elif posting.posts(Kind.EXPIRY):
            self.expired += 1
        else:
            self.skipped += 1

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


@value
class PassReport:
    """
    What a pass has to report.

    A dry run has no *run_id*; a *stopped* pass left members for the next. *left* is how
    many are still due, None when that is not asked: in a dry run and a backfill.
    *backlog* is who waits at the end, None in a dry run.
    """

    run_id: int | None
    as_of: datetime
    counts: Counts
    failures: tuple[tuple[str, str], ...]
    seconds: float
    stopped: bool = False
    left: int | None = None
    backlog: Backlog | None = None


@dataclass(slots=True)
class SharedRun:
    """A run on record that several passes share, and what they did up to now."""

    run_id: int
    counts: Counts = field(default_factory=Counts)


@value
class Options:
    """How a pass works; none of it changes what is posted, *catch_up* excepted."""

    catch_up: CatchUp = CatchUp.EACH
    threads: int = 2
    batch_size: int = 500


Planner = Callable[[Database, Sequence[Member]], Iterable[Posting | Unplanned]]
"""
Plans what is posted for members.

A backfill leaves out who has nothing to post; an ordinary pass posts them all the same,
because that corrects facts that were too early.
"""


def back_off(from_at: datetime, attempts: int) -> datetime:
    """Return when a member is tried again who failed *attempts* times before."""
    wait = FIRST_RETRY * (1 << min(attempts, 10))
    return from_at + min(wait, LAST_RETRY)


def plan_member(member: Member, plan: Callable[[], Posting]) -> Posting | Unplanned:
    """Return what *plan* does for *member*; what goes wrong there is theirs alone."""
    try:
        return plan()
    except RenewerError as error:
        code = type(error).__name__
        return Unplanned(member, code, str(error), error.plan, error.timezone)
    except Exception as error:
        code = type(error).__name__
        defect = f"{code} while planning: a defect of renewer, please report it"
        return Unplanned(member, code, store.one_line(error) or defect)


def _member_of(item: Posting | Unplanned) -> Member:
    return item.member if isinstance(item, Unplanned) else item.before


@dataclass(slots=True)
class Batch:
    """What came of the members a thread took up together."""

    counts: Counts = field(default_factory=Counts)
    failures: list[tuple[str, str]] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def fail(self, member_id: str, message: str) -> None:
        """Count a member who failed."""
        self.counts.failed += 1
        self.failures.append((member_id, message))


class Patience:
    """How long a pass waits for all busy members together, unless it has to stop."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._until: float | None = None

    def repeat(self, once: Callable[[], int]) -> int:
        """Do *once*, again while members are busy; return how many were to the end."""
        busy = once()
        while busy and not self._is_over() and not self._stop.is_set():
            self._stop.wait(BUSY_PAUSE_S)
            busy = once()
        return busy

    @property
    def left_s(self) -> float:
        """How long may be waited now: not at all before all have been looked at."""
        if self._until is None or self._stop.is_set():
            return 0.0
        return max(self._until - time.monotonic(), 0.0)

    def _is_over(self) -> bool:
        now = time.monotonic()
        self._until = self._until or now + BUSY_PATIENCE_S
        return now > self._until


class Pass:
    """
    One pass: what its threads share, and what they do with the members they find.

    Without a *run_id* it is a dry run and writes nothing. *progress* is called with
    each number of members taken up, *report* with each posting. *clock* is the
    database's at the start: the wait of a failure counts from it or, if that is
    earlier, from *as_of*. *watch* is shown each batch. *before* is what other passes of
    the same run counted. *patience* says how long busy members may be waited for. With
    *tell* the run is another process's: it is told each batch, and keeps the record.
    """

    def __init__(
        self,
        planner: Planner,
        as_of: datetime,
        clock: datetime,
        run_id: int | None,
        *,
        progress: Callable[[int], None] = lambda _: None,
        report: Callable[[Posting], None] = lambda _: None,
        watch: Watch | None = None,
        before: Counts | None = None,
        patience: Patience | None = None,
        tell: Callable[[Batch], None] | None = None,
    ) -> None:
        self.as_of = as_of
        self.watch = watch or Watch()
        self._tell = tell
        self._before = before or Counts()
        self._patience = patience
        self._planner = planner
        self.retry_from = min(as_of, clock)
        self._run_id = run_id
        self._progress = progress
        self._report = report
        self._counts = Counts()
        self._failures: list[tuple[str, str]] = []
        self._guard = threading.Lock()
        self._began = time.monotonic()
        self._recorded = self._began

    def post(self, conn: Database, members: Sequence[Member]) -> list[str]:
        """
        Plan and post *members*; return who was busy, and was not counted.

        One that changed meanwhile is read and planned again, in the end under a lock.
        """
        with self.watch.batch():
            return self._post(conn, members)

    def _post(self, conn: Database, members: Sequence[Member]) -> list[str]:
        batch = Batch()
        for attempt in range(CONFLICTS):
            planned = {
                _member_of(item).member_id: item
                for item in self._planner(conn, members)
            }
            if attempt == 0:
                batch.counts.due = len(planned)
            else:
                # Another process did meanwhile what there was to do.
                batch.counts.skipped += len(members) - len(planned)
            changed = self._send(conn, planned, batch)
            batch.tally.conflicts += len(changed)
            members = store.find_members(conn, changed) if changed else []
            if not members:
                break
        for member in members:
            self._post_locked(conn, member, batch, LOCK_TIMEOUT_S)
        self._wait_for_busy(conn, batch)
        batch.counts.due -= len(batch.busy)
        self._record(conn, batch)
        return batch.busy

    def _wait_for_busy(self, conn: Database, batch: Batch) -> None:
        """
        Take the turn of each member who was busy, once all have been looked at.

        A member whom many callers change without pause is never free, and the lock is
        given to who waits for it. What a round waits is shared, so that a thousand
        members whom somebody holds delay the others no longer than one does.
        """
        left_s = self._patience.left_s if self._patience is not None else 0.0
        if not (batch.busy and left_s):
            return
        names, batch.busy = batch.busy, []
        until = time.monotonic() + min(WAIT_S, left_s)
        for member in store.find_members(conn, names):
            if time.monotonic() > until:
                batch.busy.append(member.member_id)
                continue
            wait_s = max(WAIT_S / len(names), LEAST_WAIT_S)
            self._post_locked(conn, member, batch, wait_s)

    def _send(
        self, conn: Database, planned: dict[str, Posting | Unplanned], batch: Batch
    ) -> list[str]:
        """Post what was *planned*, count it, and return who has to be planned again."""
        changed = []
        unposted = {each.member_id: each for each in self._write(conn, planned)}
        for member_id, item in planned.items():
            refused = unposted.get(member_id)
            if refused is None:
                assert isinstance(item, Posting)
                self._count(item, batch)
            elif refused.outcome is Outcome.FAILED:
                batch.fail(member_id, refused.message or "")
            elif refused.outcome is Outcome.BUSY:
                batch.busy.append(member_id)
            else:
                changed.append(member_id)
        return changed

    def _write(
        self, conn: Database, planned: dict[str, Posting | Unplanned]
    ) -> list[Unposted]:
        """Send what was *planned* bucket by bucket; a dry run says what would fail."""
        items = planned.values()
        run_id = self._run_id
        if run_id is None:
            return [
                Unposted(each.member.member_id, Outcome.FAILED, None, each.message)
                for each in items
                if isinstance(each, Unplanned)
            ]
        unposted = []
        # A call of the procedure is for one bucket, so that a sharded database can run
        # it where the bucket lies.
        by_bucket = sorted(items, key=lambda item: _member_of(item).bucket)
        for _, each in groupby(by_bucket, lambda item: _member_of(item).bucket):
            unposted += self._call(conn, list(each), run_id)
        return unposted

    def _call(
        self, conn: Database, items: Sequence[Posting | Unplanned], run_id: int
    ) -> list[Unposted]:
        """
        Send *items*, all of one bucket, to the posting procedure.

        A value that SQL cannot read ends the call before anything is written. What is
        refused at COMMIT ends it between two members. Then each member is sent
        alone, so that only the one whose value it is fails, and only one is busy.
        """
        try:
            documents = [self._describe(item) for item in items]
            return store.post_batch(conn, documents, run_id)
        except (psycopg.DataError, psycopg.IntegrityError, *BUSY) as error:
            if len(items) > 1:
                alone = [self._call(conn, [item], run_id) for item in items]
                return [unposted for each in alone for unposted in each]
            member = _member_of(items[0])
            if isinstance(error, BUSY):
                return [Unposted(member.member_id, Outcome.BUSY)]
            failed = self._describe(self._fail_posting(member, error))
            return store.post_batch(conn, [failed], run_id)

    def _describe(self, item: Posting | Unplanned) -> dict[str, Any]:
        """Return what is sent for one member, with the time they are tried again."""
        retry_at = back_off(self.retry_from, _member_of(item).attempts)
        if isinstance(item, Unplanned):
            return store.describe_failure(item, retry_at)
        return store.describe_posting(item, retry_at)

    def _fail_posting(self, member: Member, error: psycopg.Error) -> Unplanned:
        """Return a member's failure from an error of the database."""
        code = error.sqlstate or type(error).__name__
        return Unplanned(member, code, store.one_line(error))

    def _post_locked(
        self, conn: Database, member: Member, batch: Batch, lock_timeout_s: float
    ) -> None:
        """Plan and post one much-changed member in a single transaction."""
        assert self._run_id is not None
        try:
            with conn.transaction():
                store.lock_member(conn, member.member_id, lock_timeout_s)
                (member,) = store.find_members(conn, [member.member_id])
                item = next(iter(self._planner(conn, [member])), None)
                outcome = Outcome.POSTED
                if isinstance(item, Posting):
                    document = self._describe(item)
                    outcome = store.post_locked(conn, document, self._run_id)
        except BUSY:
            item, outcome = None, Outcome.BUSY
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            item = self._fail_posting(member, error)
        if isinstance(item, Unplanned):
            refused = store.post_batch(conn, [self._describe(item)], self._run_id)
            outcome = refused[0].outcome
        if isinstance(item, Posting) and outcome is Outcome.POSTED:
            self._count(item, batch)
        elif isinstance(item, Unplanned) and outcome is Outcome.FAILED:
            batch.fail(item.member.member_id, item.message)
        elif item is None and outcome is Outcome.POSTED:
            # Another process did meanwhile what there was to do.
            batch.counts.skipped += 1
        else:
            batch.busy.append(member.member_id)

    def _count(self, posting: Posting, batch: Batch) -> None:
        self._report(posting)
        batch.counts.add_posting(posting)
        batch.tally.add_posting(posting)

    def _record(self, conn: Database, batch: Batch) -> None:
        """Add what *batch* did and, now and then, write the counts into the run."""
        if self._tell is not None:
            self._tell(batch)
            return
        self.add(batch)
        self.show_alive(conn)

    def add(self, batch: Batch) -> None:
        """Count what *batch* did, here or in another process of the pass."""
        self.watch.add(batch.counts.as_dict(), batch.tally)
        with self._guard:
            self._counts.add(batch.counts)
            room = SHOWN_FAILURES - len(self._failures)
            self._failures.extend(batch.failures[:room])
            self._progress(batch.counts.due)

    def show_alive(self, conn: Database) -> None:
        """
        Say now and then that the pass is at work: in the run on record, or, one process
        of several, to the one that began it.
        """
        if self._run_id is None:
            return
        with self._guard:
            now = time.monotonic()
            if now - self._recorded <= RECORD_EVERY_S:
                return
            self._recorded = now
            if self._tell is not None:
                self._tell(Batch())
            else:
                store.record_progress(conn, self._run_id, self._count_run())

    def _count_run(self) -> dict[str, int]:
        """Return the counts of the run, which other passes may share."""
        counts = replace(self._before)
        counts.add(self._counts)
        return counts.as_dict()

    def skip(self, busy: int) -> None:
        """Count members who were busy to the end, once each; they stay due."""
        skipped = Counts(due=busy, skipped=busy)
        self._counts.add(skipped)
        self.watch.add(skipped.as_dict(), Tally())

    def give_up(self, conn: Database, away: Iterable[str]) -> NoReturn:
        """
        Record that the pass ends without who lies on nodes that are *away*.

        NodeAway, always.
        """
        if self._run_id is not None:
            store.record_progress(
                conn, self._run_id, self._count_run(), finished=True, stopped=True
            )
        done, wrong = self._counts.due, "; ".join(sorted(away))
        raise NodeAway(
            f"{wrong}: members there stay due, {done} of other nodes were taken up; "
            "run it again when it is back"
        )

    def finish(
        self, conn: Database, *, stopped: bool, left: int | None = None
    ) -> PassReport:
        """Record that the pass ends, and return what it has to report."""
        backlog = None
        if self._run_id is not None:
            # This write is synchronous: it flushes every asynchronous commit before it.
            counts = self._count_run()
            store.record_progress(
                conn, self._run_id, counts, finished=True, stopped=stopped
            )
            backlog = store.find_backlog(conn, self.as_of)
        seconds = round(time.monotonic() - self._began, 3)
        return PassReport(
            self._run_id,
            self.as_of,
            self._counts,
            tuple(self._failures),
            seconds,
            stopped,
            left,
            backlog,
        )


def log_pass(report: PassReport, what: str = "renewal") -> None:
    """Write the one canonical line of a pass; *what* it was is the event's noun."""
    event = f"{what}.pass_stopped" if report.stopped else f"{what}.pass_finished"
    structlog.get_logger().info(
        event,
        run_id=report.run_id,
        as_of=report.as_of.isoformat(),
        seconds=report.seconds,
        left=report.left,
        **describe_backlog(report),
        **report.counts.as_dict(),
    )


def describe_backlog(report: PassReport) -> dict[str, int | None]:
    """Return who waits after a pass: for how long, how many failing and parked."""
    backlog = report.backlog
    if backlog is None:
        return {"lag_seconds": None, "failing": None, "parked": None}
    return {
        "lag_seconds": backlog.lag_seconds,
        "failing": backlog.failing,
        "parked": backlog.parked,
    }
