"""
The values of the ledger: plans, members, lots, entries, and the draft of a member's next posting.

Amounts are whole Connects; instants are `datetime` in UTC, days are `date`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
    """Why an entry is less than a member would expect."""

    SUSPENDED = "suspended"
    CAUGHT_UP = "caught_up"
    LAPSED = "lapsed"
    NOT_CARRIED = "not_carried"


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
            raise PlanError(f"unknown plan {code!r}: load it with `renewer plans load`")
        first = self._revisions[code][0].effective_from
        raise PlanError(f"plan {code!r} has no rules for {day}, only from {first} on: load an earlier revision")

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
class Entry:
    """One row of the ledger; *first_day* names the cycle of a renewal: its anchor and *cycle_n* months."""

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
    reason: Reason | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A cycle that begins *at* a boundary or a change of plan, and ends at *renews_at*."""

    at: datetime
    renews_at: datetime

    def end(self, lot: Lot) -> Lot:
        """Return *lot* with the end of this cycle when it is bound to it: not ended before, or issued since."""
        if lot.cycle_ends_at is None or (lot.cycle_ends_at <= self.at and lot.issued_at < self.at):
            return lot
        return replace(lot, cycle_ends_at=self.renews_at)


@dataclass(frozen=True, slots=True)
class Applied:
    """A request that was applied, the balance it left and the entries it posted, None for none."""

    reference: str
    balance: int
    first_seq: int | None
    last_seq: int | None


@dataclass(frozen=True, slots=True)
class Posting:
    """
    What one transaction writes for one member: entries, new lots, what is left in old ones, and the next state.

    *remainders* maps the number of each lot on record that changes to what remains in it. *cycles* have begun, in
    order, and end the lots on record that are bound to them.
    """

    before: Member
    after: Member
    entries: tuple[Entry, ...]
    new_lots: tuple[Lot, ...]
    remainders: dict[int, int]
    applied: tuple[Applied, ...] = ()
    cycles: tuple[Begun, ...] = ()

    @property
    def renewals(self) -> int:
        """Return how many boundaries this posting posts."""
        return sum(entry.kind is Kind.RENEWAL for entry in self.entries)


class Draft:
    """
    A member's ledger as it will be: what is issued and posted here comes after what is on record.

    The attributes named as those of Member are the member's state so far.
    """

    def __init__(self, member: Member) -> None:
        self.member = member
        self.plan = member.plan
        self.anchor_on = member.anchor_on
        self.timezone = member.timezone
        self.status = member.status
        self.balance = member.balance
        self.cycle_n = member.cycle_n
        self.renews_at = member.renews_at
        self.first_boundary_on = member.first_boundary_on
        self.last_boundary_at = member.last_boundary_at
        self.pending_plan = member.pending_plan
        self.boundary_timezone = member.boundary_timezone
        self.allowance_lot = member.allowance_lot
        self.changed = member.changed
        self.requests = list(member.requests)
        self.cycles: list[Begun] = []
        self.entries: list[Entry] = []
        self.applied: list[Applied] = []
        self.lots = {lot.number: lot for lot in member.lots}
        self.remaining = {lot.number: lot.remaining for lot in member.lots}
        self._last_lot = member.last_lot

    def open_lots(self) -> list[Lot]:
        """Return the lots that have something left, oldest first; `remaining` says how much."""
        return [lot for lot in self.lots.values() if self.remaining[lot.number]]

    def issue(
        self,
        source: Source,
        issued_at: datetime,
        expires_at: datetime | None,
        cycle_ends_at: datetime | None = None,
    ) -> int:
        """Add an empty lot and return its number; the entry that follows fills it."""
        self._last_lot = number = self._last_lot + 1
        self.lots[number] = Lot(number, source, 0, issued_at, expires_at, cycle_ends_at)
        self.remaining[number] = 0
        return number

    def post(
        self,
        kind: Kind,
        amount: int,
        occurred_at: datetime,
        lot: int | None,
        *,
        reason: Reason | None = None,
        first_day: date | None = None,
        reference: str | None = None,
    ) -> None:
        """Add an entry and move its lot and the balance by *amount*; one with *first_day* renews the cycle reached."""
        self.balance += amount
        if lot is not None:
            self.remaining[lot] += amount
            assert self.remaining[lot] >= 0, "a lot cannot go below zero"
        seq = self.member.last_seq + len(self.entries) + 1
        anchor_on, cycle_n, plan = None, None, None
        if first_day is not None:
            anchor_on, cycle_n, plan = self.anchor_on, self.cycle_n, self.plan
        named = (first_day, anchor_on, cycle_n, plan, reason, reference)
        self.entries.append(Entry(seq, kind, amount, self.balance, occurred_at, lot, *named))

    def begin_cycle(self, at: datetime, renews_at: datetime) -> None:
        """Note that a cycle begins at *at* and ends at *renews_at*, and give its lots that end."""
        self.last_boundary_at, self.renews_at = at, renews_at
        begun = Begun(at, renews_at)
        self.cycles.append(begun)
        self.lots = {number: begun.end(lot) for number, lot in self.lots.items()}

    def apply(self, request: Request, posted: Sequence[Entry]) -> None:
        """Note that *request* is applied and which entries it *posted*."""
        self.requests.remove(request)
        first_seq, last_seq = (posted[0].seq, posted[-1].seq) if posted else (None, None)
        self.applied.append(Applied(request.reference, self.balance, first_seq, last_seq))

    def finish(self, due_at: datetime | None) -> Posting:
        """Return all of it as one posting, after which the member is due at *due_at*."""
        held = self.member
        after = replace(
            held,
            plan=self.plan,
            anchor_on=self.anchor_on,
            timezone=self.timezone,
            status=self.status,
            balance=self.balance,
            cycle_n=self.cycle_n,
            renews_at=self.renews_at,
            due_at=due_at,
            last_seq=held.last_seq + len(self.entries),
            last_lot=self._last_lot,
            first_boundary_on=self.first_boundary_on,
            last_boundary_at=self.last_boundary_at,
            pending_plan=self.pending_plan,
            boundary_timezone=self.boundary_timezone,
            allowance_lot=self.allowance_lot,
            changed=self.changed,
            requests=tuple(self.requests),
        )
        new = tuple(
            Lot(number, lot.source, self.remaining[number], lot.issued_at, lot.expires_at, lot.cycle_ends_at)
            for number, lot in self.lots.items()
            if number > held.last_lot
        )
        changed = {
            lot.number: self.remaining[lot.number] for lot in held.lots if self.remaining[lot.number] != lot.remaining
        }
        return Posting(held, after, tuple(self.entries), new, changed, tuple(self.applied), tuple(self.cycles))
