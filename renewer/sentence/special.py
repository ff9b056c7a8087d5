"""What is special about a member's Connects: the clauses after the first."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from renewer.awards import Gap, PastCycle
from renewer.explanation import Code, Explanation
from renewer.forecast import Foreseen
from renewer.ledger import CYCLE_BOUND, Lot, Reason, Revision, Source
from renewer.sentence.state import at_local, local_day, why_zero
from renewer.sentence.words import connects, day, listed, ordinal, plural

NAMED = 3
"""How many days, lots or bonuses are named one by one before the rest is summed up."""


def special(told: Explanation) -> Iterator[str]:
    """Yield what else is worth telling, the more urgent first."""
    if told.code is Code.CLOSED:
        yield from _past(told)
        return
    yield from _missing_rules(told)
    yield from _anchor(told)
    yield from _last_zero(told)
    yield from _boundary(told)
    yield from _rules(told)
    yield from _cut_before(told)
    yield from _own_ends(told)
    yield from _returned(told)
    yield from _bonuses(told)
    yield from _waiting_changes(told)
    yield from _past(told)


def _missing_rules(told: Explanation) -> Iterator[str]:
    if not told.upcoming and told.code is not Code.FAILED:
        yield "what it will bring cannot be said yet, because its rules are missing in our system"


def _anchor(told: Explanation) -> Iterator[str]:
    anchor = told.member.anchor_on
    if anchor.day == 1:
        return
    changed = any(each.reason == Reason.PLAN_CHANGED and each.cycle.first_day == anchor for each in told.awards)
    started = "your plan was changed" if changed else "your membership started"
    short = ", or on the last day of a shorter month" if anchor.day > 28 else ""
    yield (
        f"your cycles start on the {ordinal(anchor.day)} of each month{short}, not on the 1st, because {started} "
        f"on {day(anchor)}"
    )


def _last_zero(told: Explanation) -> Iterator[str]:
    award = told.last_award
    if award is not None and not award.awarded and told.code is not Code.RENEWED:
        yield f"the award of {day(award.cycle.first_day)} was 0, because {why_zero(told)}"


def _boundary(told: Explanation) -> Iterator[str]:
    """Yield what the next boundary does to what is unused, a pending plan included."""
    upcoming = told.upcoming[0] if told.upcoming and told.code is not Code.FAILED else None
    if told.pending_plan:
        yield _move(told, told.pending_plan, upcoming)
    if upcoming is None or upcoming.awards_at <= told.as_of:
        return  # what waits is told already
    lost, carried = sum(upcoming.lost.values()), upcoming.carried
    when = f"on {day(upcoming.first_day)}"
    if lost and carried:
        yield (
            f"of your {lost + carried} unused Connects {carried}, the most plan {upcoming.plan} carries over, "
            f"roll over {when} and {lost} expire"
        )
    elif lost:
        yield (
            f"the {lost} you have unused expire {when} because plan {upcoming.plan} carries nothing over; "
            f"you can use them up to and including {day(told.cycle.last_day)}"
        )
    elif carried:
        yield f"your {carried} unused Connects roll over {when}"
    if upcoming.balance_after != told.member.balance or lost:
        yield f"if you use none before, your balance then becomes {upcoming.balance_after}"


def _move(told: Explanation, plan: str, upcoming: Foreseen | None) -> str:
    text = f"you move from plan {told.member.plan} to plan {plan}"
    if upcoming is None:
        return f"{text} with your next cycle"
    text += f" on {day(upcoming.first_day)}"
    if told.plan and told.plan.allowance != upcoming.allowance:
        text += f", which brings {upcoming.allowance} instead of {told.plan.allowance} a month"
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
    begun_at, award = told.member.last_boundary_at, told.last_award
    lost = -sum(
        row["amount"]
        for row in told.movements
        if row["kind"] == "expiry" and row["reason"] == Reason.NOT_CARRIED and row["occurred_at"] == begun_at
    )
    if not lost or award is None or told.plan is None:
        return
    cap = told.plan.rollover_cap
    on = day(award.cycle.first_day)
    if cap:
        yield (
            f"when this cycle began on {on}, {cap} of your {cap + lost} unused Connects rolled over, the most plan "
            f"{award.cycle.plan} carries over, and {lost} expired"
        )
    else:
        yield (
            f"when this cycle began on {on}, your {lost} unused Connects expired, because plan {award.cycle.plan} "
            "carries nothing over"
        )


def _own_ends(told: Explanation) -> Iterator[str]:
    """Yield when what has an end of its own ends, and what never does."""
    dated, never = [], 0
    for lot, left in kept_lots(told):
        if lot.expires_at is not None:
            dated.append((lot.expires_at, left))
        elif lot.source not in CYCLE_BOUND:
            never += left
    ends = [
        f"{sum(left for _, left in same)} expire{'d' if at <= told.as_of else ''} on {at_local(told, at)}"
        for at, same in groupby(sorted(dated), key=lambda each: each[0])
    ]
    if len(ends) > NAMED + 1:
        later = sorted(dated)[-1][0]
        ends = [*ends[:NAMED], f"the others up to {at_local(told, later)}"]
    if never:
        ends.append(f"{never} that you bought or were given never expire")
    if ends:
        yield f"of the {connects(told.member.balance)} you have, {listed(ends)}"


def kept_lots(told: Explanation) -> Iterator[tuple[Lot, int]]:
    """Yield the member's lots and what of each the next boundary leaves."""
    lost = told.upcoming[0].lost if told.upcoming else {}
    for lot in told.member.lots:
        left = lot.remaining - lost.get(lot.number, 0)
        if left:
            yield lot, left


def _returned(told: Explanation) -> Iterator[str]:
    """Yield which cycle Connects belong to that came back in this one, and when they end."""
    begun_at = told.member.last_boundary_at or told.cycle.starts_at
    back = [row for row in told.movements if row["kind"] == "refund" and row["occurred_at"] >= begun_at]
    cycle_bound = [row for row in back if row["source"] in CYCLE_BOUND and row["source"] != Source.ROLLOVER]
    number = sum(row["amount"] for row in cycle_bound)
    if not number:
        return
    last = cycle_bound[-1]
    returned = f"the {connects(number)} returned by {local_day(told, last['occurred_at'])}"
    ends = f"expire when it ends, on {day(told.cycle.last_day)}"
    if told.upcoming and not told.upcoming[0].lost.get(last["lot"]):
        ends = f"roll over when it ends, on {day(told.cycle.last_day)}"
        if last["expires_at"]:
            ends += f", and expire on {at_local(told, last['expires_at'])}"
    if told.upcoming and not last["remaining"]:
        ends = "are used up"
    yield f"{returned} belong to the current cycle and {ends}"


def _bonuses(told: Explanation) -> Iterator[str]:
    bonuses = [row for row in told.movements if row["kind"] == "bonus"]
    if not bonuses:
        return
    named = [f"{row['amount']} on {local_day(told, row['occurred_at'])} ({row['reference']})" for row in bonuses]
    if len(named) == 1:
        yield f"a bonus of {named[0]} was credited, once"
        return
    named = named if len(named) <= NAMED + 1 else [*named[:NAMED], f"{len(named) - NAMED} more"]
    yield (
        f"bonuses of {listed(named)} are separate credits, each with a reference of its own, and one reference is "
        "never credited twice"
    )


def _waiting_changes(told: Explanation) -> Iterator[str]:
    for request in told.member.requests:
        if request.content.get("effective") == "now" and request.at <= told.as_of:
            yield (
                f"your change to plan {request.content['plan']} of {local_day(told, request.at)} is recorded and "
                "takes effect with the next run of our renewal job"
            )


def _past(told: Explanation) -> Iterator[str]:
    """Yield how many renewals came in full, and each that did not and why; a last one of 0 was told already."""
    posted = [each for each in told.cycles if each.posted and each.expected is not None]
    before = ""
    if posted and told.last_award is not None and not told.last_award.awarded:
        posted, before = posted[:-1], "before it, "
    if not posted or (len(posted) == 1 and not before and posted[0].reason is None):
        return
    odd = [each for each in posted if each.reason not in (None, Reason.PLAN_CHANGED)]
    since = f"{before}since {day(posted[0].first_day)}"
    if not odd:
        late = sum(each.late for each in posted)
        yield (
            f"all {len(posted)} renewals {since}{',' if before else ''} were awarded in full"
            + (f", {late} of them late" if late else "")
        )
        return
    if len(odd) == len(posted) and all(each.reason == Gap.NO_ALLOWANCE for each in odd):
        yield f"plan {told.member.plan} included no monthly Connects in any of the {len(posted)} cycles {since}"
        return
    full = len(posted) - len(odd) or "none"
    yield f"of the {plural(len(posted), 'renewal')} {since} {full} {'was' if full == 1 else 'were'} awarded in full"
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
