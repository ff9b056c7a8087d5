"""
The notes: what is special about a member, one sentence about one thing each.

Each function returns a note, or nothing when there is nothing to say. The order of
ORDER is that of the notes: first what a member can act on before the next boundary.
What is normal is no note.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from psycopg.rows import DictRow

from renewer.answers.explanation import Code, Explanation
from renewer.answers.wording import (
    Note,
    age,
    because,
    day,
    days,
    instant,
    listed,
    moment,
    ordinal,
    plan_name,
    plural,
    shown,
)
from renewer.rules.calendar import starts_at
from renewer.rules.cycle_history import CycleRecord, Shortfall
from renewer.rules.ledger import CYCLE_BOUND, Lot, Reason, Source, Status
from renewer.rules.posting import Boundary

DAY = timedelta(days=1)
NAMED = 2
"""How many days a sentence names; more of them are counted."""


def notes(facts: Explanation) -> list[Note]:
    """Return the notes of an explanation, the most urgent first."""
    found: list[Note] = []
    for tell in ORDER:
        if facts.code is Code.CLOSED and tell not in AFTER_CLOSING:
            continue
        one_or_more = tell(facts)
        if isinstance(one_or_more, Note):
            found.append(one_or_more)
        elif one_or_more is not None:
            found += one_or_more
    return found


def note_of_unused_expire(facts: Explanation) -> Note | None:
    """Tell until when unused Connects can be used, of which the plan keeps none."""
    ahead = _sure_boundary(facts)
    if ahead is None or ahead.carried or not ahead.lost:
        return None
    lost, plan = sum(ahead.lost.values()), plan_name(ahead.plan)
    unused = facts.word.name(lost)
    text = (
        f"Use your {lost} unused monthly {unused} by {_last_moment(facts, ahead)}, "
        f"because plan {plan} keeps none for the next cycle."
    )
    at = ahead.awards_at
    return Note("unused_expire", text, {"lost": lost, "at": at, "plan": ahead.plan})


def note_of_cap(facts: Explanation) -> Note | None:
    """Tell what of the unused Connects the plan's cap lets expire at the boundary."""
    ahead = _sure_boundary(facts)
    if ahead is None or not ahead.carried or not ahead.lost:
        return None
    kept, lost = ahead.carried, sum(ahead.lost.values())
    # The cap counts before the new allowance comes: of 100 unused under 60, 60 stay.
    text = (
        f"Of your {kept + lost} unused monthly {facts.word.plural} you keep {kept}, "
        f"the most that plan {plan_name(ahead.plan)} allows, and {lost} expire on "
        f"{moment(ahead.awards_at, facts.timezone)}."
    )
    at = ahead.awards_at
    values = {"kept": kept, "lost": lost, "at": at, "plan": ahead.plan}
    return Note("cap", text, values)


def note_of_expiry_dates(facts: Explanation) -> Note | None:
    """Tell when Connects expire, when some of them have a date of their own."""
    if not any(lot.expires_at for lot in facts.member.lots):
        return None
    sums = _expiries(facts)
    if not sums:
        return None
    total, dates = sum(sums.values()), list(sums.items())
    if len(dates) == 1:
        have, on = facts.member.balance, moment(dates[0][0], facts.timezone)
        which = _expire(total, f"of your {facts.word.counted(have)}")
        if total == have:
            which = f"All your {_expire(total, facts.word.name(total))}"
        text = f"{which} on {on}."
    elif len(dates) == NAMED:
        (first, at_first), (last, at_last) = dates
        text = (
            f"Of your {facts.word.counted(facts.member.balance)}, {_expire(at_first)} "
            f"on {moment(first, facts.timezone)} and {at_last} on "
            f"{moment(last, facts.timezone)}."
        )
    else:
        (first, at_first), (last, at_last) = dates[0], dates[-1]
        text = (
            f"{total} of your {facts.word.plural} expire on {len(dates)} dates, the "
            f"first {at_first} on {_day(facts, first)} and the last {at_last} on "
            f"{_day(facts, last)}."
        )
    rows = [{"at": at, "amount": left} for at, left in dates]
    return Note("expiry_dates", text, {"total": total, "dates": rows})


def note_of_plan_change(facts: Explanation) -> Note | None:
    """Tell of the plan that begins with the next cycle."""
    plan, ahead, rules = facts.pending_plan, facts.ahead, facts.pending_rules
    if plan is None:
        return None
    present = facts.released.plan
    on = "with your next cycle"
    values: dict[str, Any] = {"plan_before": present, "plan": plan}
    if ahead is not None:
        on = f"on {moment(ahead.awards_at, facts.timezone)}"
        values["at"] = ahead.awards_at
    text = f"You change from {plan_name(present)} to {plan_name(plan)} {on}"
    if rules is not None:
        text += f" and then get {facts.word.counted(rules.allowance)} a month"
        values["allowance"] = rules.allowance
    if rules is not None and facts.plan is not None and facts.plan.code == present:
        text += f" instead of {facts.plan.allowance}"
        values["allowance_before"] = facts.plan.allowance
    return Note("plan_change", f"{text}.", values)


def notes_of_equal_bonuses(facts: Explanation) -> Iterator[Note]:
    """Advise that a person looks at bonuses of one amount: one may be a mistake."""
    for amount, same in _bonuses(facts):
        if len(same) == 1:
            continue
        first, last = same[0]["occurred_at"], same[-1]["occurred_at"]
        times = "twice" if len(same) == 2 else f"{len(same)} times"
        text = (
            f"You got a bonus of {facts.word.counted(amount)} {times}, on "
            f"{_day(facts, first)} and {_day(facts, last)}: please ask a person of our "
            "team to check this."
        )
        if len(same) > NAMED:
            text = (
                f"You got a bonus of {facts.word.counted(amount)} {times} from "
                f"{_day(facts, first)} to {_day(facts, last)}: please ask a person of "
                "our team to check this."
            )
        yield Note("equal_bonuses", text, _values_of_bonuses(same))


def note_of_unknown_timezone(facts: Explanation) -> Note | None:
    """Tell that times are in UTC because our system does not know the member's zone."""
    zone = facts.member.timezone
    if facts.timezone == zone:
        return None
    text = (
        f"Our system does not know your time zone {shown(zone)}, so all times here are "
        "in UTC."
    )
    return Note("unknown_timezone", text, {"timezone": zone})


def note_of_late(facts: Explanation) -> Note | None:
    """Tell since when a renewal has been due, when it has not come."""
    at, member = facts.member.renews_at, facts.member
    has_come = _own(facts.waiting) or facts.problem is not None
    if at > facts.as_of or not has_come:
        return None
    if member.status is Status.UNDER_REVIEW:
        return None  # it was the review that held it back
    waited = facts.as_of - at
    text = f"Your renewal has been due since {instant(at, facts.timezone)}"
    if waited >= timedelta(hours=1):
        text += f", which is {age(waited)} ago"
    minutes = int(waited.total_seconds()) // 60
    return Note("late", f"{text}.", {"since": at, "minutes": minutes})


def note_of_held_back(facts: Explanation) -> Note | None:
    """Tell for how many cycles a review holds Connects back, and since when."""
    held = _own(facts.held_back)
    if not held:
        return None
    since = facts.local(held[0].awards_at)
    cycles = plural(len(held), "cycle")
    text = (
        f"The review holds back your {facts.word.plural} for {cycles} since "
        f"{day(since.date())}."
    )
    return Note("held_back", text, {"cycles": len(held), "since": since})


def notes_of_zero(facts: Explanation) -> Iterator[Note]:
    """Tell for which cycles that have come a member gets nothing, and why."""
    zeros = [each for each in (*facts.waiting, *facts.held_back) if each.allowance == 0]
    zeros.sort(key=lambda each: each.reason or "")
    for reason, same in groupby(zeros, key=lambda each: each.reason):
        first_days = [each.first_day for each in same]
        text = (
            f"You get no {facts.word.plural} for {_cycles(first_days)}, because "
            f"{because(reason).before}."
        )
        values = {"first_days": first_days, "reason": reason or "no_allowance"}
        yield Note("nothing_due", text, values)


def note_of_plan_change_waiting(facts: Explanation) -> Note | None:
    """Tell of a change of plan that has come and is not complete yet."""
    before, after = facts.member.plan, facts.released.plan
    if before == after:
        return None
    changed = [
        each for each in (*facts.waiting, *facts.held_back) if each.plan == after
    ]
    text = f"Your change from {plan_name(before)} to {plan_name(after)}"
    values: dict[str, Any] = {"plan_before": before, "plan": after}
    if changed:
        values |= {"on": changed[0].first_day}
        text += f" on {day(changed[0].first_day)}"
    text += " is not complete yet."
    return Note("plan_change_waiting", text, values)


def note_of_reckoning(facts: Explanation) -> Note | None:
    """Tell what the balance becomes with all that has come, when some of it expires."""
    coming = (*facts.waiting, *facts.held_back)
    have, then = facts.member.balance, facts.released.balance
    get = sum(each.allowance for each in coming)
    expire = sum(each.expiring for each in coming)
    # A credit for a change of plan is no boundary: then the sum would not be right.
    if not expire or have + get - expire != then:
        return None
    text = (
        f"You have {facts.word.counted(have)}, {get} more come, {_expire(expire)}, and "
        f"you then have {then}."
    )
    values = {"balance": have, "awarded": get, "expired": expire, "then": then}
    return Note("balance_then", text, values)


def note_of_expired(facts: Explanation) -> Note | None:
    """Tell what of the balance has expired already and cannot be used any more."""
    ended = [lot for lot in facts.member.lots if _has_ended(facts, lot)]
    left = sum(lot.remaining for lot in ended)
    if not left:
        return None
    text = (
        f"{left} of your {facts.word.counted(facts.member.balance)} have expired, and "
        "you cannot use them any more."
    )
    return Note("expired", text, {"amount": left})


def note_of_unused_stay(facts: Explanation) -> Note | None:
    """Tell that all unused Connects stay when the next cycle begins."""
    ahead = _sure_boundary(facts)
    if ahead is None or not ahead.carried or ahead.lost:
        return None
    kept = facts.word.name(ahead.carried)
    text = (
        f"Your {ahead.carried} unused monthly {kept} stay with you when the next cycle "
        f"begins on {moment(ahead.awards_at, facts.timezone)}."
    )
    at = ahead.awards_at
    return Note("unused_stay", text, {"kept": ahead.carried, "at": at})


def note_of_balance_after(facts: Explanation) -> Note | None:
    """Tell the balance after the next boundary, and what it is made of."""
    ahead = _sure_boundary(facts)
    if ahead is None:
        return None
    new, kept, then = ahead.allowance, ahead.carried, ahead.balance_after
    other = then - new - kept
    if then == new and not ahead.expiring:
        return None  # there is nothing but the award
    named = ((kept, "kept"), (other, "bought or bonus"), (new, "new"))
    parts = [f"{amount} {what}" for amount, what in named if amount]
    text = (
        f"If you use none before, you have {facts.word.counted(then)} on "
        f"{moment(ahead.awards_at, facts.timezone)}"
    )
    if len(parts) > 1:
        text += f": {listed(parts)}"
    values = {"kept": kept, "other": other, "new": new, "then": then}
    return Note("balance_after", f"{text}.", values)


def note_of_never_expire(facts: Explanation) -> Note | None:
    """Tell what never expires: it is bought or a bonus, without an end of its own."""
    never = sum(
        lot.remaining
        for lot in facts.member.lots
        if lot.source not in CYCLE_BOUND and lot.expires_at is None
    )
    if not never:
        return None
    verb = "expires" if never == 1 else "expire"
    text = f"Your {never} bought or bonus {facts.word.name(never)} never {verb}."
    return Note("never_expire", text, {"amount": never})


def note_of_returned(facts: Explanation) -> Note | None:
    """Tell which cycle Connects belong to that came back in this one, and their end."""
    back = [row for row in facts.movements if row["kind"] == "refund"]
    back = [row for row in back if row["source"] in ENDING]
    boundary = facts.upcoming
    if not back or boundary is None:
        return None
    amount = sum(row["amount"] for row in back)
    lots = {row["lot"]: row["remaining"] for row in back}
    lost = sum(boundary.lost.get(number, 0) for number in lots)
    fate = "expire, if unused,"
    if lost == 0:
        fate = "stay"
    elif lost < sum(lots.values()):
        fate = "stay in part"
    last = facts.local(back[-1]["occurred_at"])
    which = f"The {facts.word.counted(amount)} returned by {day(last.date())}"
    text = (
        f"{which} belong to your current cycle and {fate} when the next one begins on "
        f"{moment(boundary.awards_at, facts.timezone)}."
    )
    at = boundary.awards_at
    values = {"amount": amount, "returned_by": last, "at": at, "lost": lost}
    return Note("returned", text, values)


ENDING = CYCLE_BOUND - {Source.ROLLOVER}


def note_of_new_allowance(facts: Explanation) -> Note | None:
    """Tell from when on new rules bring more or less a month."""
    change = facts.rule_change
    if change is None or change.before.allowance == change.after.allowance:
        return None
    before, after = change.before.allowance, change.after.allowance
    what = f"you get {facts.word.counted(after)} a month instead of {before}"
    return _note_of_rule("new_allowance", facts, what, before, after)


def note_of_new_cap(facts: Explanation) -> Note | None:
    """Tell from when on new rules keep more or fewer unused Connects."""
    change = facts.rule_change
    if change is None or change.before.rollover_cap == change.after.rollover_cap:
        return None
    before, after = change.before.rollover_cap, change.after.rollover_cap
    what = f"you keep {_kept(after)} unused {facts.word.plural} instead of "
    what += _kept(before)
    return _note_of_rule("new_cap", facts, what, before, after)


def note_of_new_lifetime(facts: Explanation) -> Note | None:
    """Tell from when on new rules let an allowance live longer or shorter."""
    change = facts.rule_change
    if change is None or change.before.lifetime_months == change.after.lifetime_months:
        return None
    before, after = change.before.lifetime_months, change.after.lifetime_months
    what = f"new monthly {facts.word.plural} have {_lifetime(after)} instead of "
    what += _lifetime(before)
    return _note_of_rule("new_lifetime", facts, what, before, after)


def note_of_credit(facts: Explanation) -> Note | None:
    """Tell why a change of plan brought less than the plan's allowance."""
    award, plan = facts.last_award, facts.plan
    if award is None or plan is None or award.reason != Reason.PLAN_CHANGED:
        return None
    if award.amount >= plan.allowance or award.cycle.plan != plan.code:
        return None
    text = (
        f"Your change to {plan_name(plan.code)} brought {award.amount} of "
        f"{facts.word.counted(plan.allowance)}, because you had received "
        f"{facts.word.plural} for the same days from your plan before."
    )
    on = award.cycle.first_day
    values = {"on": on, "amount": award.amount, "allowance": plan.allowance}
    return Note("credit", text, values)


def note_of_more_credit(facts: Explanation) -> Note | None:
    """Tell what later changes of plan on the same day brought."""
    credits = [row for row in facts.movements if row["kind"] == "adjustment"]
    if not credits:
        return None
    amount = sum(row["amount"] for row in credits)
    last = facts.local(credits[-1]["occurred_at"])
    text = (
        f"You got {amount} more {facts.word.name(amount)} on {day(last.date())} for a "
        "change of plan."
    )
    return Note("more_credit", text, {"amount": amount, "at": last})


def note_of_timezone_changed(facts: Explanation) -> Note | None:
    """Tell that the next boundary is still that of the zone a member has left."""
    before = facts.released.boundary_timezone
    if before is None or facts.ahead is None:
        return None
    text = (
        f"Your next cycle still begins at midnight in {shown(before)}, the time zone "
        "you had before."
    )
    values = {"timezone_before": before, "timezone": facts.released.timezone}
    return Note("timezone_changed", text, values)


def note_of_cut(facts: Explanation) -> Note | None:
    """Tell what of the unused Connects the present cycle's beginning let expire."""
    cut = facts.last_boundary
    if cut is None or not cut["lost"]:
        return None
    kept, lost, on, plan = cut["carried"], cut["lost"], cut["first_day"], cut["plan"]
    if kept:
        text = (
            f"On {day(on)} you kept {kept} of your {kept + lost} unused monthly "
            f"{facts.word.plural}, the most that plan {plan_name(plan)} allowed, and "
            f"{lost} expired."
        )
    else:
        text = (
            f"On {day(on)} your {lost} unused monthly {facts.word.name(lost)} expired, "
            f"because plan {plan_name(plan)} kept none for the next cycle."
        )
    return Note("cut", text, {"on": on, "kept": kept, "lost": lost, "plan": plan})


def note_of_past(facts: Explanation) -> Note | None:
    """Tell how many cycles brought all they should, when some did not."""
    posted = [each for each in facts.cycles if each.is_posted]
    odd = _odd_cycles(facts)
    if not odd or len(posted) == 1:
        return None
    full, since = len(posted) - len(odd), posted[0].first_day
    how_many = str(full) if full else "none"
    text = (
        f"You got all your monthly {facts.word.plural} for {how_many} of "
        f"{plural(len(posted), 'cycle')} since {day(since)}."
    )
    values = {"in_full": full, "cycles": len(posted), "since": since}
    return Note("past", text, values)


def notes_of_gaps(facts: Explanation) -> Iterator[Note]:
    """Tell which cycles brought too little and why, those of one kind together."""
    kinds: dict[tuple[str | None, int | None, int], list[date]] = {}
    for each in _odd_cycles(facts):
        kind = (each.shortfall, each.expected, each.awarded or 0)
        kinds.setdefault(kind, []).append(each.first_day)
    for (reason, expected, awarded), first_days in kinds.items():
        got = facts.word.counted(awarded)
        if expected:
            got = f"{awarded} of {facts.word.counted(expected)}"
        if expected and len(first_days) > 1:
            got += " each"
        text = (
            f"You got {got} for {_cycles(first_days)}, because "
            f"{because(reason).before}."
        )
        values = {
            "first_days": first_days,
            "expected": expected,
            "awarded": awarded,
            "reason": reason,
        }
        yield Note("gap", text, values)


def note_of_bonus(facts: Explanation) -> Note | None:
    """Tell what bonuses came lately, those of one amount aside."""
    single = [same[0] for _, same in _bonuses(facts) if len(same) == 1]
    if not single:
        return None
    values = _values_of_bonuses(single)
    total = facts.word.counted(values["total"])
    on = _day(facts, single[-1]["occurred_at"])
    text = f"You got a bonus of {total} on {on}, once."
    if len(single) > 1:
        text = f"You got {len(single)} different bonuses, {total} in all, by {on}."
    return Note("bonus", text, values)


def note_of_start_day(facts: Explanation) -> Note | None:
    """Tell why cycles do not start on the 1st."""
    anchor = facts.settled.anchor_on
    if anchor.day == 1:
        return None
    why = "your membership started"
    if facts.calls.changed_plan or anchor != facts.member.anchor_on:
        why = "you changed your plan"
    months = "of each month, not on the 1st"
    if anchor.day > 28:
        months = "or on the last day of a shorter month"
    text = (
        f"Your cycles start on the {ordinal(anchor.day)} {months}, because {why} on "
        f"{day(anchor)}."
    )
    return Note("start_day", text, {"day": anchor.day, "anchor_on": anchor})


def note_of_cycle(facts: Explanation) -> Note | None:
    """Tell the two days of the cycle, and when the next one starts."""
    ahead = facts.ahead
    if ahead is None or facts.waiting or facts.held_back:
        return None
    cycle = facts.cycle
    text = (
        f"Your current billing cycle is {days(cycle.first_day, cycle.last_day)}, and "
        f"the next one starts on {instant(ahead.awards_at, facts.timezone)}."
    )
    values = {
        "first_day": cycle.first_day,
        "last_day": cycle.last_day,
        "next_at": ahead.awards_at,
    }
    return Note("cycle", text, values)


ORDER: tuple[Callable[[Explanation], Note | Iterator[Note] | None], ...] = (
    # What a member can do something about before the next boundary.
    note_of_unused_expire,
    note_of_cap,
    note_of_expiry_dates,
    note_of_plan_change,
    notes_of_equal_bonuses,
    # What is not as it should be, or not yet.
    note_of_unknown_timezone,
    note_of_late,
    note_of_held_back,
    notes_of_zero,
    note_of_plan_change_waiting,
    note_of_reckoning,
    note_of_expired,
    # What comes.
    note_of_unused_stay,
    note_of_balance_after,
    note_of_never_expire,
    note_of_returned,
    note_of_new_allowance,
    note_of_new_cap,
    note_of_new_lifetime,
    # What was.
    note_of_credit,
    note_of_more_credit,
    note_of_timezone_changed,
    note_of_cut,
    note_of_past,
    notes_of_gaps,
    note_of_bonus,
    # How it works.
    note_of_start_day,
    note_of_cycle,
)

AFTER_CLOSING = frozenset(
    {
        note_of_unknown_timezone,
        notes_of_zero,
        note_of_reckoning,
        note_of_past,
        notes_of_gaps,
    }
)
"""What still matters to a member whose membership is closed."""


def _sure_boundary(facts: Explanation) -> Boundary | None:
    """Return the next boundary when nothing that waits comes before it."""
    if facts.waiting or facts.held_back:
        return None
    if facts.released.balance > facts.member.balance:
        return None  # a credit that waits would count as theirs: they cannot use it
    return facts.ahead


def _own(boundaries: Sequence[Boundary]) -> list[Boundary]:
    """Return the boundaries among *boundaries*: a change of plan is none."""
    return [each for each in boundaries if each.reason != Reason.PLAN_CHANGED]


def _day(facts: Explanation, at: datetime) -> str:
    """Return the member's day of an instant."""
    return day(facts.local(at).date())


def _last_moment(facts: Explanation, boundary: Boundary) -> str:
    """Return the last day before a boundary, or its instant when that ends no day."""
    at = facts.local(boundary.awards_at)
    if starts_at(at.date(), facts.timezone) == boundary.awards_at:
        return f"the end of {day(at.date() - DAY)}"
    return instant(at, facts.timezone)


def _expiries(facts: Explanation) -> dict[datetime, int]:
    """Return how many Connects expire when, the next boundary's loss included."""
    lost = facts.upcoming.lost if facts.upcoming else {}
    sums: dict[datetime, int] = {}
    for lot in facts.member.lots:
        gone = lost.get(lot.number, 0)
        if gone and facts.upcoming and not _has_ended(facts, lot):
            at = facts.upcoming.awards_at
            sums[at] = sums.get(at, 0) + gone
        if lot.expires_at and lot.remaining > gone and not _has_ended(facts, lot):
            at = lot.expires_at
            sums[at] = sums.get(at, 0) + lot.remaining - gone
    return dict(sorted(sums.items()))


def _has_ended(facts: Explanation, lot: Lot) -> bool:
    """Whether a lot's own end has come; until it is posted it still counts."""
    return lot.expires_at is not None and lot.expires_at <= facts.as_of


def _expire(number: int, of_what: str = "") -> str:
    """Return that so many expire, and *of_what*."""
    verb = "expires" if number == 1 else "expire"
    return " ".join(part for part in (str(number), of_what, verb) if part)


def _bonuses(facts: Explanation) -> Iterator[tuple[int, list[DictRow]]]:
    """Yield the bonuses of each amount, oldest first."""
    bonuses = [row for row in facts.movements if row["kind"] == "bonus"]
    bonuses.sort(key=lambda row: row["amount"])
    for amount, same in groupby(bonuses, key=lambda row: row["amount"]):
        yield amount, list(same)


def _values_of_bonuses(rows: Sequence[DictRow]) -> dict[str, Any]:
    """Return each bonus with its day and its reference, and their sum."""
    each = [
        {
            "amount": row["amount"],
            "at": row["occurred_at"],
            "reference": row["reference"],
        }
        for row in rows
    ]
    return {"total": sum(row["amount"] for row in rows), "bonuses": each}


def _odd_cycles(facts: Explanation) -> list[CycleRecord]:
    """Return the cycles on record that brought too little, or nothing."""
    as_usual = {None, Reason.PLAN_CHANGED.value}
    if facts.plan is not None and facts.plan.allowance == 0:
        # A plan that includes none has brought none before: that is normal.
        as_usual.add(Shortfall.NO_ALLOWANCE.value)
    posted = [each for each in facts.cycles if each.is_posted]
    return [each for each in posted if each.shortfall not in as_usual]


def _cycles(first_days: Sequence[date]) -> str:
    """Return which cycles begin on *first_days*."""
    if len(first_days) == 1:
        return f"your cycle of {day(first_days[0])}"
    if len(first_days) == 2:
        return f"your cycles of {day(first_days[0])} and {day(first_days[1])}"
    start, end = day(first_days[0]), day(first_days[-1])
    return f"{len(first_days)} cycles from {start} to {end}"


def _note_of_rule(
    code: str, facts: Explanation, what: str, before: int | None, after: int | None
) -> Note | None:
    """Return a note of a rule, unless its day is past or the plan changes before."""
    change = facts.rule_change
    if change is None or change.reaches_on <= facts.today or facts.pending_plan:
        return None
    text = f"New rules wait for a new cycle: from {day(change.reaches_on)} {what}."
    values = {"on": change.reaches_on, "before": before, "after": after}
    return Note(code, text, values)


def _kept(cap: int | None) -> str:
    """Return how many unused Connects a cap lets stay."""
    if cap is None:
        return "all"
    return f"up to {cap}" if cap else "no"


def _lifetime(months: int | None) -> str:
    """Return how long an allowance lives."""
    return "no end date" if months is None else f"a life of {plural(months, 'month')}"
