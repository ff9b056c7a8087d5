"""
The values of the ledger: plans, members, lots, entries, postings.

Amounts are whole Connects; instants are `datetime` in UTC, days are `date`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from renewer.errors import PlanError


class Kind(StrEnum):
    """What an entry records."""

    OPENING = "opening"
    RENEWAL = "renewal"
    LATE_RENEWAL = "late_renewal"
    ROLLOVER = "rollover"
    EXPIRY = "expiry"
    PURCHASE = "purchase"
    BONUS = "bonus"
    SPEND = "spend"
    REFUND = "refund"
    ADJUSTMENT = "adjustment"


class Source(StrEnum):
    """Where a lot's Connects came from."""

    ALLOWANCE = "allowance"
    ROLLOVER = "rollover"
    REFUND = "refund"
    PURCHASE = "purchase"
    BONUS = "bonus"


CYCLE_BOUND = frozenset({Source.ALLOWANCE, Source.ROLLOVER, Source.REFUND})
"""Sources whose Connects end with the cycle unless the plan lets them roll over."""


class Status(StrEnum):
    """What a member is to the marketplace."""

    ACTIVE = "active"
    UNDER_REVIEW = "under_review"
    SUSPENDED = "suspended"
    CLOSED = "closed"


WAITING = frozenset({Status.UNDER_REVIEW, Status.CLOSED})
"""Statuses in which no boundary and no expiry is posted."""


class Reason(StrEnum):
    """Why an entry is other than a member would expect."""

    SUSPENDED = "suspended"
    CAUGHT_UP = "caught_up"
    LAPSED = "lapsed"
    NOT_CARRIED = "not_carried"
    PLAN_CHANGED = "plan_changed"


class CatchUp(StrEnum):
    """What several missed boundaries of one member are worth."""

    EACH = "each"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Revision:
    """A plan's rules from *effective_from* on; a *rollover_cap* of None has no limit, 0 carries nothing."""

    code: str
    effective_from: date
    allowance: int
    rollover_cap: int | None
    lifetime_months: int | None = None


class Plans:
    """All revisions of all plans."""

    def __init__(self, revisions: Iterable[Revision]) -> None:
        self._revisions: dict[str, list[Revision]] = defaultdict(list)
        for revision in sorted(revisions, key=lambda r: r.effective_from):
            self._revisions[revision.code].append(revision)

    def __contains__(self, code: str) -> bool:
        return code in self._revisions

    def codes(self) -> list[str]:
        """Return the plans' codes in alphabetical order."""
        return sorted(self._revisions)

    def in_force(self, code: str, day: date) -> Revision:
        """Return the revision of plan *code* that governs *day*; PlanError when there is none."""
        found = None
        for revision in self._revisions.get(code, ()):
            if revision.effective_from > day:
                break
            found = revision
        if found is not None:
            return found
        if code not in self._revisions:
            raise PlanError(f"unknown plan {code!r}: load it with `renewer plans load`", plan=code)
        first = self._revisions[code][0].effective_from
        raise PlanError(f"plan {code!r} has no rules for {day}, only from {first} on: load an earlier revision", plan=code)

    def after(self, code: str, day: date) -> list[Revision]:
        """Return the revisions of plan *code* that come into force after *day*, earliest first."""
        return [revision for revision in self._revisions.get(code, ()) if revision.effective_from > day]

    def first_known(self, code: str, day: date) -> Revision:
        """Return the revision that governs *day* or, before the first, the first."""
        revisions = self._revisions.get(code)
        if revisions and day < revisions[0].effective_from:
            return revisions[0]
        return self.in_force(code, day)


@dataclass(frozen=True, slots=True)
class Lot:
    """
    Connects issued together; without *expires_at* they never lapse by themselves.

    *cycle_ends_at* is the boundary that ends their cycle: None for bought Connects and those that rolled over.
    """

    number: int
    source: Source
    remaining: int
    issued_at: datetime
    expires_at: datetime | None
    cycle_ends_at: datetime | None = None

    @property
    def cycle_bound(self) -> bool:
        """Whether the end of a cycle touches this lot."""
        return self.source in CYCLE_BOUND


class Change(StrEnum):
    """What a request asks for that needs a rule; each value is the function that records it."""

    PLAN = "change_plan"
    STATUS = "set_status"
    TIMEZONE = "set_timezone"


@dataclass(frozen=True, slots=True)
class Request:
    """A call of the marketplace that waits to be applied; *content* holds its arguments by name."""

    reference: str
    change: Change
    content: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """
    What the plan changes of one day are reckoned from, so that changing back and forth earns nothing.

    *allowance* is that of the day's first plan, *elapsed* of *days* the part of its cycle that had gone by, *credited*
    what the day's changes have brought so far, *lot* the lot of the day's renewal, None while that is of 0.
    """

    on: date
    allowance: int
    elapsed: int
    days: int
    credited: int
    lot: int | None = None

    def owes(self, allowance: int) -> int:
        """Return what a change to a plan of *allowance* still brings: DESIGN, section 7."""
        return max(allowance - self.allowance + self.allowance * self.elapsed // self.days - self.credited, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """
    A member as the ledger holds them, with the lots that have something left, oldest first.

    *cycle_n* is the cycle the ledger has reached (None: enrolled at *renews_at* and not awarded yet), *renews_at* the
    next boundary not posted yet, *due_at* when a pass next has something to post (None: nothing will be). *version*
    changes with every write, *attempts* counts the failed tries since the last success. *pending_plan* governs from
    the next boundary on; *boundary_timezone* is the zone *renews_at* was computed in when it is not *timezone*.
    *allowance_lot* is the newest allowance lot. *requests* wait to be applied, oldest first; *called* says whether
    the marketplace ever called for them.
    """

    member_id: str
    plan: str
    anchor_on: date
    timezone: str
    status: Status
    balance: int
    cycle_n: int | None
    renews_at: datetime
    due_at: datetime | None
    last_seq: int = 0
    last_lot: int = 0
    version: int = 1
    attempts: int = 0
    lots: tuple[Lot, ...] = ()
    first_boundary_on: date | None = None
    last_boundary_at: datetime | None = None
    pending_plan: str | None = None
    boundary_timezone: str | None = None
    allowance_lot: int | None = None
    changed: ChangedDay | None = None
    requests: tuple[Request, ...] = ()
    called: bool = False


@dataclass(frozen=True, slots=True)
class CycleName:
    """The cycle a renewal awards and the plan that governs it: *first_day* is *anchor_on* and *cycle_n* months."""

    first_day: date
    anchor_on: date
    cycle_n: int
    plan: str


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One row of the ledger; *first_day* to *plan* name the cycle of a renewal.

    *reason* is a Reason or, of a late renewal, the operator's own words.
    """

    seq: int
    kind: Kind
    amount: int
    balance_after: int
    occurred_at: datetime
    lot: int | None
    first_day: date | None = None
    anchor_on: date | None = None
    cycle_n: int | None = None
    plan: str | None = None
    reason: str | None = None
    reference: str | None = None

    def renewing(self, named: CycleName) -> "Entry":
        """Return this entry as one that renews the cycle *named*."""
        return replace(
            self, first_day=named.first_day, anchor_on=named.anchor_on, cycle_n=named.cycle_n, plan=named.plan
        )
