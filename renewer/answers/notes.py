"""What is special about a member's Connects: the clauses after the first."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from psycopg.rows import DictRow

from renewer.answers.explanation import Code, Explanation
from renewer.answers.phrases import at_local, instant_of_day, last_zero, local_day, moved, when
from renewer.answers.wording import before, clipped, connects, day, listed, ordinal, plural
from renewer.rules.awards import Gap, PastCycle
from renewer.rules.ledger import CYCLE_BOUND, Lot, Reason, Source
from renewer.rules.plans import Revision
from renewer.rules.posting import Boundary

NAMED = 3
"""How many days or bonuses are named one by one before the rest is summed up."""


def special(told: Explanation) -> Iterator[str]:
    """Yield what else is worth telling, the more urgent first."""
    if told.code is not Code.CLOSED:
        yield from _anchor(told)
    yield from _last_zero(told)
    if told.code is not Code.CLOSED:
        yield from _credit(told)
        yield from _change_today(told)
        yield from _boundary(told)
        yield from _rules(told)
        yield from _cut_before(told)
        yield from _own_ends(told)
        yield from _returned(told)
        yield from _bonuses(told)
    yield from _past(told)


def _anchor(told: Explanation) -> Iterator[str]:
    anchor = told.settled.anchor_on
    if anchor.day == 1:
        return
    changed = told.calls.changed_plan or told.settled.anchor_on != told.member.anchor_on
    started = "your plan was changed" if changed else "your membership started"
    short = ", or on the last day of a shorter month" if anchor.day > 28 else ""
    yield (
        f"your cycles start on the {ordinal(anchor.day)} of each month{short}, not on the 1st, because {started} "
        f"on {day(anchor)}"
    )


def _last_zero(told: Explanation) -> Iterator[str]:
    award = told.last_award
    if award is not None and not award.awarded and told.code is not Code.RENEWED:
        yield f"the award of {day(award.cycle.first_day)} was 0, because {last_zero(told)}"


def _credit(told: Explanation) -> Iterator[str]:
    """Yield what changes of plan brought in the present cycle, and why it is no full allowance."""
    award = told.last_award
    if award is not None and award.reason == Reason.PLAN_CHANGED and award.amount:
        yield (
            f"the {award.amount} of {day(award.cycle.first_day)} are the credit for your change to plan "
            f"{award.cycle.plan}: its allowance less what your plan before gave you for the days its cycle still had"
        )
    adjusted = [row for row in told.movements if row["kind"] == "adjustment"]
    if adjusted:
        total = sum(row["amount"] for row in adjusted)
        yield f"{total} more were credited on {local_day(told, adjusted[-1]['occurred_at'])} for a change of plan"


def _change_today(told: Explanation) -> Iterator[str]:
    """Yield a change of plan that waits to be applied and begins no cycle: today's has begun already."""
    plan = told.settled.plan
    if plan != told.member.plan and not told.waiting and not told.problem:
        text = f"your change to plan {plan} is recorded and applied by the next run of our renewal job"
        if told.settled.balance != told.member.balance:
            text += f": your balance of {told.member.balance} then becomes {told.settled.balance}"
        yield text


def _boundary(told: Explanation) -> Iterator[str]:
    """Yield what the next boundary does to what is unused, and the one that moves to a pending plan."""
    if told.pending_plan:
        yield _move(told, told.pending_plan, told.moves)
    if told.ahead is None or (told.waiting and told.moves is not told.ahead) or told.held_back:
        return  # what waits is told already
    ahead = told.ahead
    lost, carried, on = sum(ahead.lost.values()), ahead.carried, when(told, ahead)
    if lost and carried:
        yield (
            f"of your {lost + carried} unused Connects {carried}, the most plan {ahead.plan} carries over, "
            f"roll over on {on} and {lost} expire"
        )
    elif lost:
        until = "until then" if moved(told) else f"up to and including {day(before(ahead.first_day))}"
        yield (
            f"the {lost} you have unused expire on {on} because plan {ahead.plan} carries nothing over; "
            f"you can use them {until}"
        )
    elif carried:
        yield f"your {carried} unused Connects roll over on {on}"
    if ahead.balance_after != told.member.balance or lost:
        yield f"if you use none before, your balance then becomes {ahead.balance_after}"


def _move(told: Explanation, plan: str, moves: Boundary | None) -> str:
    text = f"you move from plan {told.member.plan} to plan {plan}"
    if moves is None:
        return f"{text} with your next cycle"
    text += f" on {when(told, moves)}"
    rules = told.pending_rules
    if told.plan and rules and told.plan.allowance != rules.allowance:
        text += f", which brings {rules.allowance} instead of {told.plan.allowance} a month"
    return text


def _rules(told: Explanation) -> Iterator[str]:
    change = told.rule_change
    if change is None or told.pending_plan:
        return
    before, after = change.before, change.after
    parts = []
    if after.allowance != before.allowance:
        parts.append(f"{connects(after.allowance)} a month instead of {before.allowance}")
    if after.rollover_cap != before.rollover_cap:
        parts.append(f"{_rollover(after)} instead of {_rollover(before)}")
    if after.lifetime_months != before.lifetime_months:
        parts.append(f"{_lifetime(after)} instead of {_lifetime(before)}")
    yield (
        f"the new rules of plan {after.code} of {day(after.effective_from)} ({listed(parts)}) reach you with "
        f"your cycle that starts on {day(change.reaches_on)}, for rules never change in the middle of a cycle"
    )


def _rollover(rules: Revision) -> str:
    if rules.rollover_cap is None:
        return "rollover without limit"
    return f"rollover of up to {rules.rollover_cap}" if rules.rollover_cap else "no rollover"


def _lifetime(rules: Revision) -> str:
    return f"a lifetime of {plural(rules.lifetime_months, 'month')}" if rules.lifetime_months else "no lifetime"


def _cut_before(told: Explanation) -> Iterator[str]:
    """Yield what was not carried into the present cycle."""
    boundary = told.boundary
    if boundary is None or not boundary["lost"]:
        return
    on, plan, lost, carried = (boundary[name] for name in ("first_day", "plan", "lost", "carried"))
    if carried:
        yield (
            f"when your cycle began on {day(on)}, {carried} of your {carried + lost} unused Connects rolled over, the "
            f"most plan {plan} carried over, and {lost} expired"
        )
    else:
        yield (
            f"when your cycle began on {day(on)}, your {lost} unused Connects expired, because plan {plan} carried "
            "nothing over"
        )


def _own_ends(told: Explanation) -> Iterator[str]:
    """Yield when what has an end of its own ends, lot by lot, and what never does."""
    dated, never = [], 0
    for lot, left in kept_lots(told):
        if lot.expires_at is not None:
            dated.append((lot.expires_at, left))
        elif lot.source not in CYCLE_BOUND:
            never += left
    parts = _ends(told, sorted(dated))
    if never:
        parts.append(f"{never} that you bought or were given never expire")
    if parts:
        yield f"of the {connects(told.member.balance)} you have, {listed(parts)}"


def _ends(told: Explanation, dated: Sequence[tuple[datetime, int]]) -> list[str]:
    """Return how many expire when; the hour is said once where all end with a day."""
    summed = {at: sum(left for _, left in same) for at, same in groupby(dated, key=lambda each: each[0])}
    hours = {instant_of_day(told, at) for at in summed}
    if len(summed) == 1 or len(hours) > 1:
        return [f"{left} expire{'d' * (at <= told.as_of)} on {at_local(told, at)}" for at, left in summed.items()]
    parts = [f"{left} expire{'d' * (at <= told.as_of)} on {local_day(told, at)}" for at, left in summed.items()]
    return [*parts[:-1], f"{parts[-1]}, each {hours.pop()}"] if parts else []


def kept_lots(told: Explanation) -> Iterator[tuple[Lot, int]]:
    """Yield the member's lots and what of each the next boundary leaves."""
    lost = told.upcoming.lost if told.upcoming else {}
    for lot in told.member.lots:
        left = lot.remaining - lost.get(lot.number, 0)
        if left:
            yield lot, left


def _returned(told: Explanation) -> Iterator[str]:
    """Yield which cycle Connects belong to that came back in this one, and when they end."""
    back = [row for row in told.movements if row["kind"] == "refund" and row["source"] in ENDING]
    if not back:
        return
    ends = list(dict.fromkeys(_end(told, row) for row in back))
    yield (
        f"the {connects(sum(row['amount'] for row in back))} returned by {local_day(told, back[-1]['occurred_at'])} "
        f"belong to the current cycle and, as far as they are unused, {listed(ends)}"
    )


ENDING = CYCLE_BOUND - {Source.ROLLOVER}


def _end(told: Explanation, row: DictRow) -> str:
    """Return what becomes of a lot into which Connects were returned."""
    boundary = told.upcoming
    if boundary is None:
        return "stay"
    on, lost = when(told, boundary), boundary.lost.get(row["lot"], 0)
    if lost >= row["remaining"]:
        return f"expire when the next one begins, on {on}"
    if row["expires_at"] and row["expires_at"] <= boundary.awards_at:
        return f"expire on {at_local(told, row['expires_at'])}"
    return f"roll over{' in part' if lost else ''} when the next one begins, on {on}"


def _bonuses(told: Explanation) -> Iterator[str]:
    bonuses = [row for row in told.movements if row["kind"] == "bonus"]
    if not bonuses:
        return
    named = [
        f"{row['amount']} on {local_day(told, row['occurred_at'])} ({clipped(row['reference'])})" for row in bonuses
    ]
    if len(named) == 1:
        yield f"a bonus of {named[0]} was credited, once"
        return
    named = named if len(named) <= NAMED + 1 else [*named[:NAMED], f"{len(named) - NAMED} more"]
    yield (
        f"bonuses of {listed(named)} are separate credits, each with a reference of its own, and one reference is "
        "never credited twice"
    )


def _past(told: Explanation) -> Iterator[str]:
    """Yield how many renewals came in full, and each that did not and why; a last one of 0 was told already."""
    posted = [each for each in told.cycles if each.posted and each.expected is not None]
    before_it = ""
    if posted and told.last_award is not None and not told.last_award.awarded:
        posted, before_it = posted[:-1], "before it, "
    if not posted or (len(posted) == 1 and posted[0].reason in (None, Reason.PLAN_CHANGED)):
        return
    odd = [each for each in posted if each.reason not in (None, Reason.PLAN_CHANGED)]
    start = f"{before_it}since {day(posted[0].first_day)}"
    full = len(posted) - len(odd)
    if not odd:
        late = sum(each.late for each in posted)
        which = f"all {full} renewals" if full > 1 else "the renewal"
        were = "were" if full > 1 else "was"
        comma = "," if before_it else ""
        yield f"{which} {start}{comma} {were} awarded in full" + (f", {late} of them late" if late else "")
        return
    if not full and all(each.reason == Gap.NO_ALLOWANCE for each in odd):
        cycles = "the cycle" if len(odd) == 1 else f"any of the {len(odd)} cycles"
        yield f"plan {told.member.plan} included no monthly Connects in {cycles} {start}"
        return
    if len(posted) > 1:
        were = "was" if full == 1 else "were"
        yield f"of the {len(posted)} renewals {start}, {full or 'none'} {were} awarded in full"
    for _, run in groupby(odd, key=lambda each: (each.reason, each.expected, each.awarded)):
        yield _odd(list(run))


def _odd(run: Sequence[PastCycle]) -> str:
    """Return what came of neighbouring cycles that brought too little for one reason."""
    first, last = run[0], run[-1]
    which = f"that of {day(first.first_day)} was"
    if len(run) > NAMED:
        which = f"the {len(run)} from {day(first.first_day)} to {day(last.first_day)} were"
    elif len(run) > 1:
        which = f"those of {listed([day(each.first_day) for each in run])} were"
    if first.reason == Gap.NO_ALLOWANCE:
        return f"{which} 0, because the plan included none then"
    instead = f"{first.awarded} instead of {first.expected}"
    return f"{which} {instead}, because {GAP.get(first.reason, 'of a correction')}"


GAP: dict[str | None, str] = {
    Reason.SUSPENDED: "your account was suspended then",
    Reason.CAUGHT_UP: "they were missed and not made up for",
    Gap.RULES_CORRECTED: "the rules of the plan were corrected only later",
}
