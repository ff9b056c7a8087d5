"""
The notes: what is special about a member, one sentence about one thing each.

The functions stand in the order of the notes: first what a member can act on before
the next boundary, then what is not as it should be, what comes, what was, and how it
works. What is normal is no note.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from psycopg.rows import DictRow

from renewer.answers.explanation import Code, Explanation, find_rules, skip_changes
from renewer.answers.wording import (
    Word,
    age,
    day,
    day_at,
    days,
    instant,
    kept,
    listed,
    local,
    moment,
    ordinal,
    plan_name,
    plural,
    reason_in_words,
    shown,
)
from renewer.rules.calendar import LAST_DAY, starts_at
from renewer.rules.cycle_history import CycleRecord, Shortfall
from renewer.rules.ledger import CYCLE_BOUND, Lot, Reason, Source, Status
from renewer.rules.plans import RULES, Revision
from renewer.rules.posting import Boundary
from renewer.rules.value import value

DAY = timedelta(days=1)
YEAR = timedelta(days=366)
NAMED = 2
"""How many days a sentence names; more of them are counted."""


@value
class NoteDocument:
    """One sentence about one thing, with its numbers and dates as *values*."""

    code: str
    text: str
    values: dict[str, Any]


Texts = Iterator[tuple[str, dict[str, Any]]]
"""Text and values of each note with one code."""

Tell = Callable[[Explanation], Texts]

NOTES: dict[str, Tell] = {}
"""The function of each code, in the order of the notes; codes never change."""

AFTER_CLOSING = frozenset(
    {"unknown_timezone", "nothing_due", "balance_then", "past", "gap"}
)
"""Notes that still matter to a member whose membership is closed."""


def note(code: str) -> Callable[[Tell], Tell]:
    """Register a function as that of the notes with *code*, after those before it."""

    def register(tell: Tell) -> Tell:
        NOTES[code] = tell
        return tell

    return register


def notes(facts: Explanation) -> list[NoteDocument]:
    """Return the notes of an explanation, the most urgent first."""
    found = []
    for code, tell in NOTES.items():
        if facts.code is not Code.CLOSED or code in AFTER_CLOSING:
            found += [NoteDocument(code, *each) for each in tell(facts)]
    return found


@note("unused_expire")
def tell_unused_expire(facts: Explanation) -> Texts:
    """Unused Connects of which the plan keeps none, and until when they can be used."""
    ahead = _sure_boundary(facts)
    if ahead is None or ahead.carried or not ahead.lost:
        return
    lost, at = sum(ahead.lost.values()), ahead.awards_at
    text = (
        f"Use your {lost} unused monthly {facts.word.name(lost)} by "
        f"{_last_moment(facts, at)}, because plan {plan_name(ahead.plan)} keeps none "
        "for the next cycle."
    )
    yield text, {"lost": lost, "at": at, "plan": ahead.plan}


@note("cap")
def tell_cap(facts: Explanation) -> Texts:
    """Unused Connects that the plan's cap lets expire at the next boundary."""
    ahead = _sure_boundary(facts)
    if ahead is None or not ahead.carried or not ahead.lost:
        return
    carried, lost, at = ahead.carried, sum(ahead.lost.values()), ahead.awards_at
    # The cap counts before the new allowance comes: of 100 unused under 60, 60 stay.
    text = (
        f"Of your {carried + lost} unused monthly {facts.word.plural} you keep "
        f"{carried}, the most that plan {plan_name(ahead.plan)} allows, and {lost} "
        f"expire on {moment(at, facts.timezone)}."
    )
    yield text, {"kept": carried, "lost": lost, "at": at, "plan": ahead.plan}


@note("expiry_dates")
def tell_expiry_dates(facts: Explanation) -> Texts:
    """When Connects expire, if some of them have an end of their own."""
    sums = _expiries(facts)
    if not sums or not any(lot.expires_at for lot in facts.member.lots):
        return
    total, have = sum(left for _, left in sums), facts.member.balance
    zone = facts.timezone
    (first, at_first), (last, at_last) = sums[0], sums[-1]
    if len(sums) == 1:
        which = _expire(total, f"of your {facts.word.counted(have)}")
        if total == have:
            which = f"All your {_expire(total, facts.word.name(total))}"
        text = f"{which} on {moment(first, zone)}."
    elif len(sums) == NAMED:
        text = (
            f"Of your {facts.word.counted(have)}, {_expire(at_first)} on "
            f"{moment(first, zone)} and {at_last} on {moment(last, zone)}."
        )
    else:
        text = (
            f"{total} of your {facts.word.plural} expire on {len(sums)} dates, the "
            f"first {at_first} on {day_at(first, zone)} and the last {at_last} on "
            f"{day_at(last, zone)}."
        )
    dates = [{"at": at, "amount": left} for at, left in sums]
    yield text, {"total": total, "dates": dates}


@note("plan_change")
def tell_plan_change(facts: Explanation) -> Texts:
    """The plan that begins with the next cycle."""
    plan, ahead, present = facts.pending_plan, facts.ahead, facts.released.plan
    if plan is None:
        return
    values: dict[str, Any] = {"plan_before": present, "plan": plan}
    change = f"You change from {plan_name(present)} to {plan_name(plan)}"
    if ahead is None:
        yield f"{change} with your next cycle.", values
        return
    allowance = facts.plans.in_force(plan, ahead.first_day).allowance
    values |= {"at": ahead.awards_at, "allowance": allowance}
    text = (
        f"{change} on {moment(ahead.awards_at, facts.timezone)} and then get "
        f"{facts.word.counted(allowance)} a month"
    )
    if facts.plan is not None and facts.plan.code == present:
        text += f" instead of {facts.plan.allowance}"
        values["allowance_before"] = facts.plan.allowance
    yield f"{text}.", values


@note("equal_bonuses")
def tell_equal_bonuses(facts: Explanation) -> Texts:
    """Several bonuses of the same amount: one may be a duplicate."""
    for amount, same in _bonuses(facts):
        if len(same) == 1:
            continue
        first, last = (day_at(same[n]["occurred_at"], facts.timezone) for n in (0, -1))
        when = f"twice, on {first} and {last}"
        if len(same) > NAMED:
            when = f"{len(same)} times from {first} to {last}"
        text = (
            f"You got a bonus of {facts.word.counted(amount)} {when}: please ask a "
            "person of our team to check this."
        )
        yield text, _values_of_bonuses(same)


@note("unknown_timezone")
def tell_unknown_timezone(facts: Explanation) -> Texts:
    """Our system does not know the member's time zone: times are in UTC."""
    zone = facts.member.timezone
    if facts.timezone != zone:
        text = (
            f"Our system does not know your time zone {shown(zone)}, so all times here "
            "are in UTC."
        )
        yield text, {"timezone": zone}


@note("late")
def tell_late(facts: Explanation) -> Texts:
    """Since when a renewal has been due that has not come."""
    at, waited = facts.member.renews_at, facts.as_of - facts.member.renews_at
    has_come = skip_changes(facts.waiting) or facts.problem is not None
    # Under review it is not late: the review holds it back.
    under_review = facts.member.status is Status.UNDER_REVIEW
    if at > facts.as_of or not has_come or under_review:
        return
    text = f"Your renewal has been due since {instant(at, facts.timezone)}"
    if waited >= timedelta(hours=1):
        text += f", which is {age(waited)} ago"
    minutes = int(waited.total_seconds()) // 60
    yield f"{text}.", {"since": at, "minutes": minutes}


@note("held_back")
def tell_held_back(facts: Explanation) -> Texts:
    """For how many cycles a review holds Connects back, and since when."""
    held = skip_changes(facts.held_back)
    if held:
        since = held[0].awards_at
        text = (
            f"The review holds back your {facts.word.plural} for "
            f"{plural(len(held), 'cycle')} since {day_at(since, facts.timezone)}."
        )
        yield text, {"cycles": len(held), "since": since}


@note("nothing_due")
def tell_nothing_due(facts: Explanation) -> Texts:
    """Cycles that have come and bring nothing, and why."""
    zeros = [each for each in facts.coming if each.allowance == 0]
    zeros.sort(key=lambda each: each.reason or "")
    for reason, same in groupby(zeros, key=lambda each: each.reason):
        first_days = [each.first_day for each in same]
        text = (
            f"You get no {facts.word.plural} for {_cycles(first_days)}, because "
            f"{reason_in_words(reason).before}."
        )
        yield text, {"first_days": first_days, "reason": reason or "no_allowance"}


@note("plan_change_waiting")
def tell_plan_change_waiting(facts: Explanation) -> Texts:
    """A change of plan that has come and is not complete yet."""
    before, after = facts.member.plan, facts.released.plan
    if before == after:
        return
    values: dict[str, Any] = {"plan_before": before, "plan": after}
    text = f"Your change from {plan_name(before)} to {plan_name(after)}"
    changed = [each.first_day for each in facts.coming if each.plan == after]
    if changed:
        values["on"] = changed[0]
        text += f" on {day(changed[0])}"
    yield f"{text} is not complete yet.", values


@note("balance_then")
def tell_balance_then(facts: Explanation) -> Texts:
    """The balance with all that has come, if some of it expires."""
    have, then, get = facts.member.balance, facts.released.balance, facts.due
    expire = sum(each.expiring for each in facts.coming)
    # A credit for a change of plan is no boundary: then the sum would not be right.
    if expire and have + get - expire == then:
        text = (
            f"You have {facts.word.counted(have)}, {get} more come, {_expire(expire)}, "
            f"and you then have {then}."
        )
        yield text, {"balance": have, "awarded": get, "expired": expire, "then": then}


@note("expired")
def tell_expired(facts: Explanation) -> Texts:
    """Connects of the balance that have expired already and cannot be used."""
    left = sum(lot.remaining for lot in facts.member.lots if _has_ended(facts, lot))
    if left:
        text = (
            f"{left} of your {facts.word.counted(facts.member.balance)} have expired, "
            "and you cannot use them any more."
        )
        yield text, {"amount": left}


@note("unused_stay")
def tell_unused_stay(facts: Explanation) -> Texts:
    """All unused Connects stay when the next cycle begins."""
    ahead = _sure_boundary(facts)
    if ahead is not None and ahead.carried and not ahead.lost:
        carried, at = ahead.carried, ahead.awards_at
        text = (
            f"Your {carried} unused monthly {facts.word.name(carried)} stay with you "
            f"when the next cycle begins on {moment(at, facts.timezone)}."
        )
        yield text, {"kept": carried, "at": at}


@note("balance_after")
def tell_balance_after(facts: Explanation) -> Texts:
    """The balance after the next boundary, if it is more than the award."""
    ahead = _sure_boundary(facts)
    if ahead is None:
        return
    new, carried, then = ahead.allowance, ahead.carried, ahead.balance_after
    other = then - new - carried
    if then == new and not ahead.expiring:
        return
    amounts = ((carried, "kept"), (other, "bought or bonus"), (new, "new"))
    parts = [f"{amount} {what}" for amount, what in amounts if amount]
    text = (
        f"If you use none before, you have {facts.word.counted(then)} on "
        f"{moment(ahead.awards_at, facts.timezone)}"
    )
    if len(parts) > 1:
        text += f": {listed(parts)}"
    yield f"{text}.", {"kept": carried, "other": other, "new": new, "then": then}


@note("never_expire")
def tell_never_expire(facts: Explanation) -> Texts:
    """Bought and bonus Connects without an end of their own."""
    never = sum(
        lot.remaining
        for lot in facts.member.lots
        if not lot.cycle_bound and lot.expires_at is None
    )
    if never:
        verb = "expire"
        if never == 1:
            verb = "expires"
        text = f"Your {never} bought or bonus {facts.word.name(never)} never {verb}."
        yield text, {"amount": never}


@note("returned")
def tell_returned(facts: Explanation) -> Texts:
    """Refunds of this cycle: they belong to it, and end or stay with it."""
    ending = CYCLE_BOUND - {Source.ROLLOVER}
    back = [
        row
        for row in facts.movements
        if row["kind"] == "refund" and row["source"] in ending
    ]
    boundary = facts.upcoming
    if not back or boundary is None:
        return
    amount = sum(row["amount"] for row in back)
    lots = {row["lot"]: row["remaining"] for row in back}
    lost = sum(boundary.lost.get(number, 0) for number in lots)
    fate = "expire, if unused,"
    if lost == 0:
        fate = "stay"
    elif lost < sum(lots.values()):
        fate = "stay in part"
    last, at = back[-1]["occurred_at"], boundary.awards_at
    text = (
        f"The {facts.word.counted(amount)} returned by {day_at(last, facts.timezone)} "
        f"belong to your current cycle and {fate} when the next one begins on "
        f"{moment(at, facts.timezone)}."
    )
    yield text, {"amount": amount, "returned_by": last, "at": at, "lost": lost}


def tell_new_rule(name: str, facts: Explanation) -> Texts:
    """Another value of the rule *name* of the plan, and from which cycle on."""
    change = _find_new_rules(facts)
    if change is None:
        return
    on, before, after = change
    values = {"on": on, "before": before.rules[name], "after": after.rules[name]}
    if values["before"] != values["after"]:
        what = _new_rule_in_words(name, before, after, facts.word)
        yield f"New rules wait for a new cycle: from {day(on)} {what}.", values


NEW_RULES = {"rollover_cap": "new_cap", "lifetime_months": "new_lifetime"}
"""Codes of notes about new rules, where they are not new_ and the rule's name."""

for rule_name in RULES:
    rule_code = NEW_RULES.get(rule_name, f"new_{rule_name}")
    note(rule_code)(partial(tell_new_rule, rule_name))


@note("credit")
def tell_credit(facts: Explanation) -> Texts:
    """Why a change of plan brought less than the plan's allowance."""
    last, plan = facts.last_cycle, facts.plan
    if last is None or plan is None or last.reason != Reason.PLAN_CHANGED:
        return
    amount = (last.awarded or 0) - last.late
    if amount >= plan.allowance or last.plan != plan.code:
        return
    text = (
        f"Your change to {plan_name(plan.code)} brought {amount} of "
        f"{facts.word.counted(plan.allowance)}, because you had received "
        f"{facts.word.plural} for the same days from your plan before."
    )
    yield text, {"on": last.first_day, "amount": amount, "allowance": plan.allowance}


@note("more_credit")
def tell_more_credit(facts: Explanation) -> Texts:
    """What later changes of plan on the same day brought."""
    credits = [row for row in facts.movements if row["kind"] == "adjustment"]
    if credits:
        amount = sum(row["amount"] for row in credits)
        last = credits[-1]["occurred_at"]
        text = (
            f"You got {amount} more {facts.word.name(amount)} on "
            f"{day_at(last, facts.timezone)} for a change of plan."
        )
        yield text, {"amount": amount, "at": last}


@note("timezone_changed")
def tell_timezone_changed(facts: Explanation) -> Texts:
    """The next boundary is still that of the zone that a member has left."""
    before, zone = facts.released.boundary_timezone, facts.released.timezone
    if before is not None and facts.ahead is not None:
        text = (
            f"Your next cycle still begins at midnight in {shown(before)}, the time "
            "zone you had before."
        )
        yield text, {"timezone_before": before, "timezone": zone}


@note("cut")
def tell_cut(facts: Explanation) -> Texts:
    """Unused Connects that expired when the current cycle began."""
    cut = facts.last_boundary
    if cut is None or not cut["lost"]:
        return
    carried, lost, on = cut["carried"], cut["lost"], cut["first_day"]
    plan = plan_name(cut["plan"])
    text = (
        f"On {day(on)} your {lost} unused monthly {facts.word.name(lost)} expired, "
        f"because plan {plan} kept none for the next cycle."
    )
    if carried:
        text = (
            f"On {day(on)} you kept {carried} of your {carried + lost} unused monthly "
            f"{facts.word.plural}, the most that plan {plan} allowed, and {lost} "
            "expired."
        )
    yield text, {"on": on, "kept": carried, "lost": lost, "plan": cut["plan"]}


@note("past")
def tell_past(facts: Explanation) -> Texts:
    """How many cycles brought all they should, if some did not."""
    posted, odd = facts.posted_cycles, _odd_cycles(facts)
    if odd and len(posted) > 1:
        full, since = len(posted) - len(odd), posted[0].first_day
        text = (
            f"You got all your monthly {facts.word.plural} for {full or 'none'} of "
            f"{plural(len(posted), 'cycle')} since {day(since)}."
        )
        yield text, {"in_full": full, "cycles": len(posted), "since": since}


@note("gap")
def tell_gaps(facts: Explanation) -> Texts:
    """Which cycles brought too little and why, those of one kind together."""
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
            f"{reason_in_words(reason).before}."
        )
        amounts = {"expected": expected, "awarded": awarded}
        yield text, {"first_days": first_days, **amounts, "reason": reason}


@note("bonus")
def tell_bonus(facts: Explanation) -> Texts:
    """Bonuses of the last 31 days, those of one amount aside."""
    single = [same[0] for _, same in _bonuses(facts) if len(same) == 1]
    if single:
        values = _values_of_bonuses(single)
        total = facts.word.counted(values["total"])
        on = day_at(single[-1]["occurred_at"], facts.timezone)
        text = f"You got a bonus of {total} on {on}, once."
        if len(single) > 1:
            text = f"You got {len(single)} different bonuses, {total} in all, by {on}."
        yield text, values


@note("start_day")
def tell_start_day(facts: Explanation) -> Texts:
    """Why cycles do not start on the 1st."""
    anchor = facts.settled.anchor_on
    if anchor.day == 1:
        return
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
    yield text, {"day": anchor.day, "anchor_on": anchor}


@note("cycle")
def tell_cycle(facts: Explanation) -> Texts:
    """The two days of the cycle, and when the next one starts."""
    ahead = facts.ahead
    if ahead is not None and not facts.coming:
        first, last, at = facts.cycle.first_day, facts.cycle.last_day, ahead.awards_at
        text = (
            f"Your current billing cycle is {days(first, last)}, and the next one "
            f"starts on {instant(at, facts.timezone)}."
        )
        yield text, {"first_day": first, "last_day": last, "next_at": at}


def _sure_boundary(facts: Explanation) -> Boundary | None:
    """Return the next boundary when nothing that waits comes before it."""
    # A credit that waits would count as theirs, and they cannot use it.
    waits = facts.coming or facts.released.balance > facts.member.balance
    return None if waits else facts.ahead


def _last_moment(facts: Explanation, at: datetime) -> str:
    """Return the last day before *at*, or the instant when it ends no day."""
    on = local(at, facts.timezone).date()
    if starts_at(on, facts.timezone) == at:
        return f"the end of {day(on - DAY)}"
    return instant(at, facts.timezone)


def _expiries(facts: Explanation) -> list[tuple[datetime, int]]:
    """Return when how many Connects expire, the next boundary's loss included."""
    sums: dict[datetime, int] = {}
    for lot in facts.member.lots:
        if _has_ended(facts, lot):
            continue
        gone = facts.lost.get(lot.number, 0)
        if gone and facts.upcoming:
            at = facts.upcoming.awards_at
            sums[at] = sums.get(at, 0) + gone
        if lot.expires_at and lot.remaining > gone:
            at = lot.expires_at
            sums[at] = sums.get(at, 0) + lot.remaining - gone
    return sorted(sums.items())


def _has_ended(facts: Explanation, lot: Lot) -> bool:
    """Whether a lot's own end has come; until it is posted it still counts."""
    return lot.expires_at is not None and lot.expires_at <= facts.as_of


def _expire(number: int, of_what: str = "") -> str:
    """Return that so many expire, and *of_what*."""
    verb = "expire"
    if number == 1:
        verb = "expires"
    return " ".join(part for part in (str(number), of_what, verb) if part)


def _bonuses(facts: Explanation) -> Iterator[tuple[int, list[DictRow]]]:
    """Yield the bonuses of each amount, oldest first."""
    bonuses = [row for row in facts.movements if row["kind"] == "bonus"]
    bonuses.sort(key=lambda row: row["amount"])
    for amount, same in groupby(bonuses, key=lambda row: row["amount"]):
        yield amount, list(same)


def _values_of_bonuses(rows: Sequence[DictRow]) -> dict[str, Any]:
    """Return each bonus with its day and its reference, and their sum."""
    names = {"amount": "amount", "at": "occurred_at", "reference": "reference"}
    each = [{name: row[column] for name, column in names.items()} for row in rows]
    return {"total": sum(row["amount"] for row in rows), "bonuses": each}


def _odd_cycles(facts: Explanation) -> list[CycleRecord]:
    """Return the cycles on record that brought too little, or nothing."""
    as_usual = {None, Reason.PLAN_CHANGED.value}
    if facts.plan is not None and facts.plan.allowance == 0:
        # A plan that includes none has brought none before: that is normal.
        as_usual.add(Shortfall.NO_ALLOWANCE.value)
    return [each for each in facts.posted_cycles if each.shortfall not in as_usual]


def _cycles(first_days: Sequence[date]) -> str:
    """Return which cycles begin on *first_days*."""
    if len(first_days) == 1:
        return f"your cycle of {day(first_days[0])}"
    start, end = day(first_days[0]), day(first_days[-1])
    if len(first_days) == NAMED:
        return f"your cycles of {start} and {end}"
    return f"{len(first_days)} cycles from {start} to {end}"


def _find_new_rules(facts: Explanation) -> tuple[date, Revision, Revision] | None:
    """
    Return the next rules of the member's plan that differ: first day, before, after.

    None when that day is past, or the plan changes before.
    """
    member, plans = facts.released, facts.plans
    if facts.pending_plan:
        return None
    present = facts.cycle.n if member.cycle_n is None else member.cycle_n
    calendar = member.calendar_from(member.anchor_on)
    begun = calendar.first_day(present)
    before = find_rules(plans, member.plan, begun)
    if before is None:
        return None
    for revision in plans.after(member.plan, begun):
        if revision.effective_from >= LAST_DAY - YEAR:
            break
        n = max(calendar.number_on(revision.effective_from), present + 1)
        if calendar.first_day(n) < revision.effective_from:
            n += 1
        reaches_on = calendar.first_day(n)
        after = plans.in_force(member.plan, reaches_on)
        if after.rules != before.rules:
            return (reaches_on, before, after) if reaches_on > facts.today else None
    return None


def _new_rule_in_words(name: str, before: Revision, after: Revision, word: Word) -> str:
    """Return what a new value of the rule *name* means for a member."""
    if name == "allowance":
        gets = word.counted(after.allowance)
        return f"you get {gets} a month instead of {before.allowance}"
    if name == "rollover_cap":
        new, old = kept(after.rollover_cap, "no"), kept(before.rollover_cap, "no")
        return f"you keep {new} unused {word.plural} instead of {old}"
    if name == "lifetime_months":
        new, old = _lifetime(after.lifetime_months), _lifetime(before.lifetime_months)
        return f"new monthly {word.plural} have {new} instead of {old}"
    rule = RULES[name]
    new, old = rule.show(after.rules[name]), rule.show(before.rules[name])
    return f"the {rule.label} of your plan is {new} instead of {old}"


def _lifetime(months: int | None) -> str:
    """Return how long an allowance lives."""
    return "no end date" if months is None else f"a life of {plural(months, 'month')}"
