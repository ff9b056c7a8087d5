"""What the cycles of a range should have brought a member, and what each did bring."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from renewer.errors import PlanError
from renewer.rules import cycle
from renewer.rules.awards import Gap
from renewer.rules.ledger import CycleName, Reason, Status, value
from renewer.rules.plans import Plans

UNDER_REVIEW = str(Status.UNDER_REVIEW)
"""Reason of a cycle that a review holds back: it is posted when the review ends."""


class Flaw(StrEnum):
    """What an auditor has to ask about."""

    MISSING = "missing"
    DOUBLE = "double"
    UNEXPLAINED = "unexplained"


@value
class Awarded:
    """
    A renewal on record.

    *late* is what was made up for later. *allowed* are the allowances the rules gave
    while it was posted: several when rules were loaded meanwhile. *run_id* and
    *late_run_id* are the passes that posted the two.
    """

    cycle: CycleName
    amount: int
    reason: str | None
    late: int | None
    allowed: tuple[int, ...]
    posted_at: datetime
    run_id: int | None
    late_run_id: int | None


@value
class Audited:
    """
    A member under audit.

    *awards* are those of the range, oldest first, and the one before and the one
    after it. The rest is as in Member.
    """

    member_id: str
    status: Status
    plan: str
    anchor_on: date
    timezone: str
    cycle_n: int | None
    first_boundary_on: date | None
    renews_at: datetime
    awards: tuple[Awarded, ...]


@value
class AuditedCycle:
    """
    One cycle of one member: what the rules on record say, and what was awarded.

    *late* is the part of *awarded* that was made up for later. *reason* says why the
    two differ. A *flaw* is what nothing explains. *expected* is None without rules.
    """

    member_id: str
    plan: str
    first_day: date
    last_day: date
    expected: int | None
    awarded: int | None
    late: int
    reason: str | None
    posted_at: datetime | None = None
    run_id: int | None = None
    flaw: Flaw | None = None


def audit_member(
    member: Audited, plans: Plans, start: date, end: date, as_of: datetime
) -> Iterator[AuditedCycle]:
    """
    Yield each cycle of *member* that begins from *start* to *end*, oldest first.

    A boundary that has come at *as_of* and is not posted is missing, unless a review
    holds it back.
    """
    found = [
        *_judge_all(member, plans),
        *_find_missing(member, plans, start, end),
        *_find_unposted(member, plans, end, as_of),
    ]
    for each in sorted(found, key=lambda each: each.first_day):
        if start <= each.first_day <= end:
            yield each


def _judge_all(member: Audited, plans: Plans) -> Iterator[AuditedCycle]:
    """Yield what was awarded; of two awards for one cycle, the second is double."""
    before: Awarded | None = None
    for award in member.awards:
        judged = _judge(member.member_id, award, plans)
        if before is not None and _overlap(before.cycle, award.cycle):
            judged = replace(judged, flaw=Flaw.DOUBLE)
        before = award
        yield judged


def _judge(member_id: str, award: Awarded, plans: Plans) -> AuditedCycle:
    """Compare one award with the rules on record, and with those of its time."""
    named = award.cycle
    awarded = award.amount + (award.late or 0)
    expected = _allowance(named.plan, named.first_day, plans)
    reason = award.reason
    if reason == Reason.PLAN_CHANGED:
        # What was left of the old cycle, not an allowance: it is taken as it is.
        expected = award.amount
    if reason is None and awarded != expected and awarded in award.allowed:
        reason = str(Gap.RULES_CORRECTED)
    flaw = None
    if awarded != expected and (reason is None or _is_too_much(awarded, award)):
        flaw = Flaw.UNEXPLAINED
    return AuditedCycle(
        member_id=member_id,
        plan=named.plan,
        first_day=named.first_day,
        last_day=cycle.last_day(named.anchor_on, named.cycle_n),
        expected=expected,
        awarded=awarded,
        late=award.late or 0,
        reason=reason,
        posted_at=award.posted_at,
        run_id=award.late_run_id or award.run_id,
        flaw=flaw,
    )


def _is_too_much(awarded: int, award: Awarded) -> bool:
    """Whether no rules of its time gave so much."""
    return all(awarded > allowed for allowed in award.allowed)


def _find_missing(
    member: Audited, plans: Plans, start: date, end: date
) -> Iterator[AuditedCycle]:
    """Yield the cycles the ledger has passed by without a renewal."""
    if member.cycle_n is None or member.first_boundary_on is None:
        return
    named = [award.cycle for award in member.awards]
    if not named or named[0].first_day >= start:
        named.insert(0, _before_first(member, named))
    for before, after in pairwise(named):
        if not follows(before, after):
            for n in _cycles_between(before, after.first_day):
                yield _missing(member, before, n, plans)
    reached = CycleName(
        cycle.first_day(member.anchor_on, member.cycle_n),
        member.anchor_on,
        member.cycle_n,
        member.plan,
    )
    last = named[-1]
    if last.first_day < reached.first_day and last.first_day <= end:
        for n in _cycles_between(last, reached.first_day + timedelta(days=1)):
            yield _missing(member, last, n, plans)


def _before_first(member: Audited, named: Sequence[CycleName]) -> CycleName:
    """Return the cycle before the first that this ledger renews."""
    assert member.first_boundary_on is not None
    anchor_on = named[0].anchor_on if named else member.anchor_on
    n = (member.first_boundary_on.year - anchor_on.year) * 12
    n += member.first_boundary_on.month - anchor_on.month - 1
    return CycleName(cycle.first_day(anchor_on, n), anchor_on, n, member.plan)


def _cycles_between(before: CycleName, until: date) -> Iterator[int]:
    """Yield the numbers of the cycles after *before* that begin before *until*."""
    n = before.cycle_n + 1
    while cycle.first_day(before.anchor_on, n) < until:
        yield n
        n += 1


def _missing(
    member: Audited, of: CycleName, n: int, plans: Plans, *, reason: str | None = None
) -> AuditedCycle:
    """Return cycle *n* of the anchor of *of*, which brought nothing."""
    first_day = cycle.first_day(of.anchor_on, n)
    return AuditedCycle(
        member_id=member.member_id,
        plan=of.plan,
        first_day=first_day,
        last_day=cycle.last_day(of.anchor_on, n),
        expected=_allowance(of.plan, first_day, plans),
        awarded=None,
        late=0,
        reason=reason,
        flaw=None if reason else Flaw.MISSING,
    )


def _find_unposted(
    member: Audited, plans: Plans, end: date, as_of: datetime
) -> Iterator[AuditedCycle]:
    """Yield the cycles up to *end* that have begun at *as_of* and are not posted."""
    if member.status is Status.CLOSED:
        return
    reason = UNDER_REVIEW if member.status is Status.UNDER_REVIEW else None
    at = member.renews_at
    n = cycle.next_number(member.anchor_on, member.timezone, member.cycle_n, at)
    named = CycleName(member.anchor_on, member.anchor_on, n, member.plan)
    while at <= as_of and cycle.first_day(member.anchor_on, n) <= end:
        yield _missing(member, named, n, plans, reason=reason)
        n += 1
        at = cycle.boundary(member.anchor_on, member.timezone, n)


def _overlap(before: CycleName, after: CycleName) -> bool:
    """Whether *after* begins within *before*, and not by a change of plan."""
    return not follows(before, after) and after.first_day < _next_day(before)


def _next_day(named: CycleName) -> date:
    return cycle.first_day(named.anchor_on, named.cycle_n + 1)


def _allowance(plan: str, first_day: date, plans: Plans) -> int | None:
    try:
        return plans.in_force(plan, first_day).allowance
    except PlanError:
        return None


def follows(before: CycleName, after: CycleName) -> bool:
    """
    Whether two renewals are neighbours.

    They are of one anchor, or a change of plan moved the anchor between them.
    """
    if after.anchor_on == before.anchor_on:
        return after.cycle_n == before.cycle_n + 1
    if after.cycle_n == 0:
        # A zone further east may have had tomorrow already.
        latest = _next_day(before) + timedelta(days=1)
        return before.first_day < after.first_day <= latest
    return after.cycle_n == 1 and after.anchor_on == before.first_day
