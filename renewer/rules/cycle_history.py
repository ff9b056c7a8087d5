"""
The cycles of one member: what each should have brought, and what it did bring.

`explain`, the pages, `audit`, `backfill` and `verify` read their cycles from here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from renewer.errors import PlanError
from renewer.rules.boundary import next_cycle
from renewer.rules.calendar import Calendar
from renewer.rules.ledger import CycleKey, Member, Reason, Status
from renewer.rules.plans import Plans
from renewer.rules.value import value

UNDER_REVIEW = str(Status.UNDER_REVIEW)
"""Reason of a cycle that a review holds back: it is posted when the review ends."""


class Shortfall(StrEnum):
    """Computed reasons for a short award, in addition to the stored Reason."""

    NO_ALLOWANCE = "no_allowance"
    RULES_CORRECTED = "rules_corrected"


class Flaw(StrEnum):
    """A finding that an auditor has to ask about."""

    MISSING = "missing"
    DOUBLE = "double"
    UNEXPLAINED = "unexplained"


@value
class Award:
    """
    One renewal on record, with the late renewal of the same cycle.

    *seq* is the renewal's number in the ledger. *late* is the amount of the late
    renewal, None without one. *posted_at* is when the later of the two was written,
    *run_id* and *late_run_id* are their passes. *awarded_at* are the times at which
    either occurred or its pass acted. *allowed* are the allowances that the rules gave
    while the two were posted (several when rules were loaded meanwhile); None when that
    was not read.
    """

    cycle: CycleKey
    amount: int
    reason: str | None
    late: int | None
    posted_at: datetime
    seq: int = 0
    awarded_at: tuple[datetime, ...] = ()
    allowed: tuple[int, ...] | None = None
    run_id: int | None = None
    late_run_id: int | None = None

    @property
    def awarded(self) -> int:
        """Return all Connects of the cycle."""
        return self.amount + (self.late or 0)


@value
class CycleRecord:
    """
    One cycle that has begun: what the rules on record say, and what was awarded.

    *expected* is None without rules, *awarded* None while no renewal is posted. *late*
    is the part of *awarded* that a backfill added. *reason* is the entry's, or says why
    *awarded* differs from *expected*. *flaw* is a difference without a reason.
    """

    plan: str
    first_day: date
    last_day: date
    expected: int | None
    awarded: int | None
    late: int = 0
    reason: str | None = None
    posted_at: datetime | None = None
    run_id: int | None = None
    flaw: Flaw | None = None

    @property
    def is_posted(self) -> bool:
        """Whether a renewal of the cycle is on record."""
        return self.posted_at is not None

    @property
    def shortfall(self) -> str | None:
        """Return why the member got less than expected, or 0; None: nothing to tell."""
        awarded = self.awarded or 0
        if not self.is_posted or self.reason == Reason.PLAN_CHANGED:
            return self.reason
        if self.expected == 0 and awarded == 0:
            return Shortfall.NO_ALLOWANCE
        if self.expected is None:
            return self.reason
        if awarded >= self.expected:
            return None
        return self.reason or Shortfall.RULES_CORRECTED


def expected_of(award: Award, plans: Plans) -> int:
    """
    Return what *award* should have brought by the rules on record; PlanError without.

    A change of plan in mid-cycle awards what was left of the old cycle, which is no
    allowance: its amount is taken as it is.
    """
    if award.reason == Reason.PLAN_CHANGED:
        return award.amount
    return plans.in_force(award.cycle.plan, award.cycle.first_day).allowance


def owed(award: Award, plans: Plans, *, suspended: bool = False) -> int:
    """
    Return the amount of a late renewal for the cycle of *award*; 0 for none.

    A cycle has at most one. An award withheld because the member was *suspended* is
    owed only when the operator says that the suspension was a mistake.
    """
    if award.late is not None:
        return 0
    if award.reason == Reason.SUSPENDED and not suspended:
        return 0
    return max(expected_of(award, plans) - award.amount, 0)


def record_award(award: Award, plans: Plans) -> CycleRecord:
    """Return the record of a posted cycle, judged by the rules on record."""
    awarded, reason = award.awarded, award.reason
    try:
        expected = expected_of(award, plans)
    except PlanError:
        expected = None
    allowed = award.allowed or ()
    if reason is None and awarded != expected and awarded in allowed:
        reason = str(Shortfall.RULES_CORRECTED)
    flaw = None
    is_too_much = all(awarded > allowance for allowance in allowed)
    if awarded != expected and (reason is None or is_too_much):
        flaw = Flaw.UNEXPLAINED
    return CycleRecord(
        plan=award.cycle.plan,
        first_day=award.cycle.first_day,
        last_day=award.cycle.last_day,
        expected=expected,
        awarded=awarded,
        late=award.late or 0,
        reason=reason,
        posted_at=award.posted_at,
        run_id=award.late_run_id or award.run_id,
        flaw=flaw,
    )


def cycle_history(
    member: Member,
    awards: Sequence[Award],
    plans: Plans,
    start: date,
    end: date,
    as_of: datetime,
) -> Iterator[CycleRecord]:
    """
    Yield each cycle of *member* that begins from *start* to *end*, oldest first.

    *awards* are those of the range, oldest first, and the one before and the one after
    it. A cycle whose boundary has come at *as_of* without a renewal is missing, unless
    a review holds it back.
    """
    records = [
        *_record_all(awards, plans),
        *_find_missing(member, awards, plans, start, end),
        *_find_unposted(member, plans, end, as_of),
    ]
    for record in sorted(records, key=lambda record: record.first_day):
        if start <= record.first_day <= end:
            yield record


def _find_unposted(
    member: Member, plans: Plans, end: date, as_of: datetime
) -> Iterator[CycleRecord]:
    """Yield cycles up to *end* whose boundary has come at *as_of* and is not posted."""
    if member.status is Status.CLOSED:
        return
    judged: dict[str, Any] = {"flaw": Flaw.MISSING}
    if member.status is Status.UNDER_REVIEW:
        judged = {"reason": UNDER_REVIEW}
    calendar, at = member.calendar, member.renews_at
    n = next_cycle(member)
    while at <= as_of and calendar.first_day(n) <= end:
        record = _unposted(calendar, n, member.plan, plans)
        yield replace(record, **judged)
        n += 1
        at = calendar.boundary(n)


def find_misplaced(member: Member, renewals: Sequence[CycleKey]) -> Iterator[str]:
    """
    Yield, in words, what is wrong with the series of a member's renewals.

    There is one renewal for each boundary, from the first to the cycle that the ledger
    has reached, and each follows the one before.
    """
    reached = member.cycle
    for key in renewals if reached is None else [*renewals, reached]:
        yield from _find_wrong_days(member, key)
    for before, after in pairwise(renewals):
        if not follows(before, after):
            yield (
                f"after the renewal of {before.first_day} comes that of "
                f"{after.first_day}"
            )
    if renewals:
        yield from _find_wrong_ends(member, renewals[0], renewals[-1])
    elif reached is not None:
        first_on = member.first_boundary_on
        if first_on is not None and reached.first_day >= first_on:
            yield f"the renewal of {first_on} is missing"


def _find_wrong_days(member: Member, key: CycleKey) -> Iterator[str]:
    """Yield how the stored days of a cycle differ from the calendar's."""
    calendar, n = member.calendar_from(key.anchor_on), key.cycle_n
    first_day, last_day = calendar.first_day(n), calendar.last_day(n)
    if (key.first_day, key.last_day) != (first_day, last_day):
        yield (
            f"cycle {n} of anchor {key.anchor_on} is stored as {key.first_day} to "
            f"{key.last_day}, the calendar says {first_day} to {last_day}"
        )


def _find_wrong_ends(member: Member, first: CycleKey, last: CycleKey) -> Iterator[str]:
    """Yield where the *first* and the *last* renewal are not those of the member."""
    if first.first_day != member.first_boundary_on:
        yield (
            f"the first renewal is of {first.first_day}, the first boundary "
            f"{member.first_boundary_on}"
        )
    reached = member.cycle
    if reached is not None and not _is_reached(last, reached):
        yield (
            f"the last renewal is {_describe(last)}, the ledger has reached "
            f"{_describe(reached)}"
        )


def _is_reached(last: CycleKey, reached: CycleKey) -> bool:
    """
    Whether *last* is the renewal of the cycle that the ledger has reached.

    A change of plan on the day of a renewal moved the anchor to that day.
    """
    numbered = (reached.anchor_on, reached.cycle_n)
    is_numbered = numbered in ((last.anchor_on, last.cycle_n), (last.first_day, 0))
    return is_numbered and last.first_day == reached.first_day


def _describe(key: CycleKey) -> str:
    return f"cycle {key.cycle_n} of {key.anchor_on}, from {key.first_day}"


def _record_all(awards: Sequence[Award], plans: Plans) -> Iterator[CycleRecord]:
    """Yield the record of each award; the second of two for one cycle is double."""
    before: Award | None = None
    for award in awards:
        record = record_award(award, plans)
        if before is not None and _overlap(before.cycle, award.cycle):
            record = replace(record, flaw=Flaw.DOUBLE)
        before = award
        yield record


def _overlap(before: CycleKey, after: CycleKey) -> bool:
    """Whether *after* begins within *before*, and not by a change of plan."""
    return not follows(before, after) and after.first_day <= before.last_day


def _find_missing(
    member: Member, awards: Sequence[Award], plans: Plans, start: date, end: date
) -> Iterator[CycleRecord]:
    """Yield the cycles that the ledger has passed without a renewal."""
    reached = member.cycle
    if reached is None or member.first_boundary_on is None:
        return
    keys = [award.cycle for award in awards]
    if not keys or keys[0].first_day >= start:
        keys.insert(0, _before_first(member, keys))
    for before, after in pairwise(keys):
        if not follows(before, after):
            yield from _missing(member, before, after.first_day, plans)
    last = keys[-1]
    if last.first_day < reached.first_day and last.first_day <= end:
        until = reached.first_day + timedelta(days=1)
        yield from _missing(member, last, until, plans)


def _before_first(member: Member, keys: Sequence[CycleKey]) -> CycleKey:
    """Return the cycle before the first that this ledger renews."""
    assert member.first_boundary_on is not None
    anchor_on = keys[0].anchor_on if keys else member.anchor_on
    calendar = member.calendar_from(anchor_on)
    n = calendar.number_on(member.first_boundary_on) - 1
    return CycleKey(
        calendar.first_day(n), calendar.last_day(n), anchor_on, n, member.plan
    )


def _missing(
    member: Member, before: CycleKey, until: date, plans: Plans
) -> Iterator[CycleRecord]:
    """Yield the cycles after *before* that begin before *until*, all missing."""
    calendar = member.calendar_from(before.anchor_on)
    n = before.cycle_n + 1
    while calendar.first_day(n) < until:
        record = _unposted(calendar, n, before.plan, plans)
        yield replace(record, flaw=Flaw.MISSING)
        n += 1


def _unposted(calendar: Calendar, n: int, plan: str, plans: Plans) -> CycleRecord:
    """Return the record of cycle *n* without an award."""
    first_day = calendar.first_day(n)
    try:
        expected = plans.in_force(plan, first_day).allowance
    except PlanError:
        expected = None
    return CycleRecord(plan, first_day, calendar.last_day(n), expected, None)


def follows(before: CycleKey, after: CycleKey) -> bool:
    """
    Whether two renewals are neighbours.

    They are of one anchor, or a change of plan moved the anchor between them.
    """
    if after.anchor_on == before.anchor_on:
        return after.cycle_n == before.cycle_n + 1
    if after.cycle_n == 0:
        # A zone further east may have had tomorrow already.
        latest = before.last_day + timedelta(days=2)
        return before.first_day < after.first_day <= latest
    return after.cycle_n == 1 and after.anchor_on == before.first_day
