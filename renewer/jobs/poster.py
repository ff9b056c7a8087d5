"""
Posts batches of members: plans them, sends the postings, retries conflicts.

A planner decides what is posted; the member's version guards it (optimistic lock).
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import psycopg

from renewer.errors import RenewerError
from renewer.jobs.counts import BatchResult
from renewer.rules.ledger import Member
from renewer.rules.posting import Posting
from renewer.rules.value import value
from renewer.store import batches
from renewer.store.batches import Outcome, Unplanned, Unposted
from renewer.store.connection import Database, one_line
from renewer.store.members import find_members

OPTIMISTIC_ATTEMPTS = 3
"""After so many conflicts the member is planned under a row lock."""

LOCK_CONFLICTS = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
)
"""Another transaction holds the member, which stays due; no failure is recorded."""

LOCK_TIMEOUT_S = 2.0
RETRY_BUDGET_S = 30.0
"""How long a pass retries members that are locked, after its first scan."""
RETRY_PAUSE_S = 0.25
LOCK_WAIT_S = 0.5
"""How long a batch waits for the row locks of all its locked members together."""
MIN_LOCK_WAIT_S = 0.01
FIRST_RETRY = timedelta(minutes=50)
"""A little less than the hour between passes, so that the next pass tries again."""
LAST_RETRY = timedelta(hours=24)

Planner = Callable[[Database, Sequence[Member]], Iterable[Posting | Unplanned]]
"""
Plans what is posted for members.

The planner of a renewal returns a posting for each member, an empty one too: it
corrects a due time that was too early. The planner of a backfill leaves out members
with nothing to post.
"""


def back_off(from_at: datetime, attempts: int) -> datetime:
    """Return when a member is tried again after *attempts* failures before this one."""
    wait = FIRST_RETRY * (1 << min(attempts, 10))
    return from_at + min(wait, LAST_RETRY)


def planning_failure(member: Member, error: Exception) -> Unplanned:
    """Return why *member* could not be planned; other members are not affected."""
    code = type(error).__name__
    if isinstance(error, RenewerError):
        return Unplanned(member, code, str(error), error.plan, error.timezone)
    defect = f"{code} while planning: a defect of renewer, please report it"
    return Unplanned(member, code, one_line(error) or defect)


def _database_failure(member: Member, error: psycopg.Error) -> Unplanned:
    """Return why the database refused *member*'s posting."""
    return Unplanned(member, error.sqlstate or type(error).__name__, one_line(error))


def _member_of(item: Posting | Unplanned) -> Member:
    return item.member if isinstance(item, Unplanned) else item.before


@value
class MemberResult:
    """The outcome of one member; POSTED without a *posting*: nothing was left to do."""

    outcome: Outcome
    posting: Posting | None = None
    message: str = ""


LOCKED = MemberResult(Outcome.BUSY)
NOTHING_LEFT = MemberResult(Outcome.POSTED)
"""Another process has meanwhile posted all that the member was due."""


class LockRetry:
    """The time in which a pass retries locked members; it ends when *stop* is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._until: float | None = None

    def pause(self, locked: int) -> bool:
        """Pause, and return True, if *locked* members are to be tried again."""
        if not locked or self._stop.is_set():
            return False
        now = time.monotonic()
        self._until = self._until or now + RETRY_BUDGET_S
        if now > self._until:
            return False
        self._stop.wait(RETRY_PAUSE_S)
        return True

    @property
    def left_s(self) -> float:
        """Return the seconds left to wait for row locks; 0 during the first scan."""
        if self._until is None or self._stop.is_set():
            return 0.0
        return max(self._until - time.monotonic(), 0.0)


class BatchPoster:
    """
    Posts batches for run *run_id*; without one (a dry run) it writes nothing.

    The back-off of a failed member counts from *retry_from*. Threads share a poster.
    """

    def __init__(
        self,
        planner: Planner,
        run_id: int | None,
        retry_from: datetime,
        retry: LockRetry,
    ) -> None:
        self._planner = planner
        self._run_id = run_id
        self.retry_from = retry_from
        self.retry = retry

    def post(self, conn: Database, members: Sequence[Member]) -> BatchResult:
        """
        Plan and post *members*, and return what was done.

        A member that changed meanwhile is read and planned again, after
        OPTIMISTIC_ATTEMPTS under a row lock.
        """
        results: dict[str, MemberResult] = {}
        conflicts = 0
        for _ in range(OPTIMISTIC_ATTEMPTS):
            sent = self._send(conn, list(self._planner(conn, members)))
            results |= sent
            changed = [
                member_id
                for member_id, result in sent.items()
                if result.outcome is Outcome.CONFLICT
            ]
            if not changed:
                break
            conflicts += len(changed)
            results |= dict.fromkeys(changed, NOTHING_LEFT)
            members = find_members(conn, changed)
        else:
            for member in members:
                result = self._post_locked(conn, member, LOCK_TIMEOUT_S)
                results[member.member_id] = result
        self._wait_for_locks(conn, results)
        return _summarise(results, conflicts)

    def _wait_for_locks(self, conn: Database, results: dict[str, MemberResult]) -> None:
        """
        Retry locked members by queueing for their row locks.

        SKIP LOCKED never succeeds on a member that callers change without pause; a
        queued lock does. The wait is shared, so that a thousand locked members delay
        the others no longer than one does.
        """
        locked = _find_locked(results)
        left_s = self.retry.left_s
        if not (locked and left_s):
            return
        until = time.monotonic() + min(LOCK_WAIT_S, left_s)
        wait_s = max(LOCK_WAIT_S / len(locked), MIN_LOCK_WAIT_S)
        for member in find_members(conn, locked):
            if time.monotonic() > until:
                return
            results[member.member_id] = self._post_locked(conn, member, wait_s)

    def _send(
        self, conn: Database, items: Sequence[Posting | Unplanned]
    ) -> dict[str, MemberResult]:
        """Send what was planned, and return the result of each member."""
        refused = {each.member_id: each for each in self._write(conn, items)}
        results = {}
        for item in items:
            member_id = _member_of(item).member_id
            if member_id in refused:
                unposted = refused[member_id]
                message = unposted.message or ""
                results[member_id] = MemberResult(unposted.outcome, None, message)
            else:
                assert isinstance(item, Posting)
                results[member_id] = MemberResult(Outcome.POSTED, item)
        return results

    def _write(
        self, conn: Database, items: Sequence[Posting | Unplanned]
    ) -> list[Unposted]:
        """Write *items* bucket by bucket; a dry run returns what would fail."""
        if self._run_id is None:
            return [
                Unposted(item.member.member_id, Outcome.FAILED, None, item.message)
                for item in items
                if isinstance(item, Unplanned)
            ]
        unposted = []
        # A call of the procedure is for one bucket, so that a sharded database can run
        # it where the bucket lies.
        by_bucket = sorted(items, key=lambda item: _member_of(item).bucket)
        for _, same in groupby(by_bucket, lambda item: _member_of(item).bucket):
            unposted += self._call(conn, list(same), self._run_id)
        return unposted

    def _call(
        self, conn: Database, items: Sequence[Posting | Unplanned], run_id: int
    ) -> list[Unposted]:
        """
        Send *items*, all of one bucket, to the posting procedure.

        A value that SQL cannot read ends the call before anything is written; an error
        at COMMIT ends it between two members. Then retry the members one by one, so
        that only the offending member fails.
        """
        try:
            documents = [self._describe(item) for item in items]
            return batches.post_batch(conn, documents, run_id)
        except (psycopg.DataError, psycopg.IntegrityError, *LOCK_CONFLICTS) as error:
            if len(items) > 1:
                unposted = []
                for item in items:
                    unposted += self._call(conn, [item], run_id)
                return unposted
            member = _member_of(items[0])
            if isinstance(error, LOCK_CONFLICTS):
                return [Unposted(member.member_id, Outcome.BUSY)]
            failed = self._describe(_database_failure(member, error))
            return batches.post_batch(conn, [failed], run_id)

    def _describe(self, item: Posting | Unplanned) -> dict[str, Any]:
        """Return what is sent for one member, with the time of its next try."""
        retry_at = back_off(self.retry_from, _member_of(item).attempts)
        if isinstance(item, Unplanned):
            return batches.describe_failure(item, retry_at)
        return batches.describe_posting(item, retry_at)

    def _post_locked(
        self, conn: Database, member: Member, lock_timeout_s: float
    ) -> MemberResult:
        """Plan and post *member* under its row lock, in a single transaction."""
        assert self._run_id is not None
        try:
            with conn.transaction():
                batches.lock_member(conn, member.member_id, lock_timeout_s)
                (member,) = find_members(conn, [member.member_id])
                item = next(iter(self._planner(conn, [member])), None)
                if isinstance(item, Posting):
                    document = self._describe(item)
                    outcome = batches.post_locked(conn, document, self._run_id)
        except LOCK_CONFLICTS:
            return LOCKED
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            item = _database_failure(member, error)
        if item is None:
            return NOTHING_LEFT
        if isinstance(item, Posting):
            result = MemberResult(outcome, item)
        else:
            result = self._send(conn, [item])[member.member_id]
        if result.outcome in (Outcome.POSTED, Outcome.FAILED):
            return result
        # It changed once more: the next scan reads it again.
        return LOCKED


def _find_locked(results: dict[str, MemberResult]) -> list[str]:
    return [
        member_id
        for member_id, result in results.items()
        if result.outcome is Outcome.BUSY
    ]


def _summarise(results: dict[str, MemberResult], conflicts: int) -> BatchResult:
    """Return what a batch did, from the *results* of its members."""
    batch = BatchResult(locked=_find_locked(results))
    counts = batch.counts
    counts.due = len(results) - len(batch.locked)
    counts.conflicts = conflicts
    for member_id, result in results.items():
        if result.posting is not None:
            counts.add_posting(result.posting)
            batch.postings.append(result.posting)
        elif result.outcome is Outcome.FAILED:
            counts.failed += 1
            batch.failures.append((member_id, result.message))
        elif result.outcome is Outcome.POSTED:
            counts.skipped += 1
    return batch
