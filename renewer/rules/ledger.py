"""
The values of the ledger: members, lots, requests, entries.

Amounts are whole Connects; instants are `datetime` in UTC, days are `date`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from renewer.rules.calendar import Calendar
from renewer.rules.value import value


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
"""Statuses in which no boundary and no expiry is posted: for now, or for ever."""


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


@value
class Lot:
    """
    Connects issued together; without *expires_at* they never lapse by themselves.
    """

    number: int
    source: Source
    remaining: int
    issued_at: datetime
    expires_at: datetime | None

    @property
    def cycle_bound(self) -> bool:
        """Whether the end of a cycle touches this lot."""
        return self.source in CYCLE_BOUND


class Change(StrEnum):
    """What a request asks for that needs a rule: the function that records it."""

    PLAN = "change_plan"
    STATUS = "set_status"
    TIMEZONE = "set_timezone"


@value
class Request:
    """A call that waits to be applied; *content* holds its arguments by name."""

    reference: str
    change: Change
    content: Mapping[str, str]
    at: datetime


@value
class ChangedDay:
    """
    What the plan changes of the day *on* are reckoned from.

    *allowance* is that of the day's first plan. *elapsed* of *days* is the part of its
    cycle that had gone by. *credited* is what the day's changes have brought so far.
    *lot* is the lot of the day's renewal, None while that is of 0.
    """

    on: date
    allowance: int
    elapsed: int
    days: int
    credited: int
    lot: int | None = None


@value
class CycleKey:
    """
    A cycle that is posted: its days, its number *cycle_n* counted from *anchor_on*, and
    the plan that governs it.

    The days are those of the calendar when it was posted.
    """

    first_day: date
    last_day: date
    anchor_on: date
    cycle_n: int
    plan: str


@value
class Member:
    """
    A member as the ledger holds it; the names are those of `member_state`.

    *version* changes with every write. *attempts* counts the failed tries since the
    last success. *pending_plan* governs from the next boundary on. *boundary_timezone*
    is the zone *renews_at* was computed in, when that is not *timezone*.

    *cycle_n* is the cycle the ledger has reached, from *cycle_first_day* to
    *cycle_last_day*; all three are None for a member that enrolled at *renews_at* and
    was not awarded yet. *last_boundary_at* is when that cycle began, by a boundary or a
    change of plan; *cycle_ended_at* is the last boundary posted.
    *renews_at* is the next one not posted yet. *first_boundary_on* is the first day
    this ledger renews.

    *allowance_lot* is the newest allowance lot. *lots* are those that have something
    left, and used-up ones that a waiting request may fill again; oldest first.
    *requests* wait to be applied, oldest first.
    """

    member_id: str
    bucket: int
    plan: str
    anchor_on: date
    timezone: str
    status: Status
    balance: int
    cycle_n: int | None
    renews_at: datetime
    last_seq: int = 0
    last_lot: int = 0
    version: int = 1
    attempts: int = 0
    cycle_first_day: date | None = None
    cycle_last_day: date | None = None
    first_boundary_on: date | None = None
    last_boundary_at: datetime | None = None
    cycle_ended_at: datetime | None = None
    pending_plan: str | None = None
    boundary_timezone: str | None = None
    allowance_lot: int | None = None
    changed: ChangedDay | None = None
    lots: tuple[Lot, ...] = ()
    requests: tuple[Request, ...] = ()

    @property
    def calendar(self) -> Calendar:
        """Return the calendar of the cycles to come."""
        return self.calendar_from(self.anchor_on, self.timezone)

    def calendar_from(self, anchor_on: date, timezone: str = "UTC") -> Calendar:
        """
        Return the member's calendar from another anchor, or in another zone.

        Where only days are wanted the zone does not matter.
        """
        return Calendar(anchor_on, timezone)

    @property
    def cycle(self) -> CycleKey | None:
        """Return the cycle that the ledger has reached; None before the first award."""
        if self.cycle_n is None:
            return None
        assert self.cycle_first_day is not None
        assert self.cycle_last_day is not None
        days = self.cycle_first_day, self.cycle_last_day
        return CycleKey(*days, self.anchor_on, self.cycle_n, self.plan)

    @property
    def lapses_at(self) -> datetime | None:
        """Return the earliest end of an open lot that has one."""
        ends = [lot.expires_at for lot in self.lots if lot.expires_at and lot.remaining]
        return min(ends, default=None)

    @property
    def requested_at(self) -> datetime | None:
        """
        Return when the first request that can be applied is to be.

        The award of an enrolment comes before any request, also before one that is
        dated earlier, because clocks differ.
        """
        times = [request.at for request in self.requests if self.can_apply(request)]
        if not times:
            return None
        return max(min(times), self.renews_at) if self.cycle_n is None else min(times)

    def can_apply(self, request: Request) -> bool:
        """Whether *request* is applied now: a review lets only statuses change."""
        return self.status is not Status.UNDER_REVIEW or request.change is Change.STATUS


@value
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
    last_day: date | None = None
    anchor_on: date | None = None
    cycle_n: int | None = None
    plan: str | None = None
    reason: str | None = None
    reference: str | None = None
