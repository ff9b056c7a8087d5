"""
The headline: is anything wrong, when do the next Connects come, and how many.

At most three short sentences and 40 words, fit to be sent alone. It has one function
for each status code, which returns the sentences.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from renewer.answers.explanation import Code, Explanation, Problem
from renewer.answers.wording import (
    because,
    day,
    moment,
    plan_name,
    plural,
    shown,
)
from renewer.rules.cycle_history import CycleRecord, Shortfall
from renewer.rules.ledger import Reason, Status
from renewer.rules.posting import Boundary

TOO_LITTLE = frozenset({Reason.SUSPENDED, Reason.CAUGHT_UP, Shortfall.RULES_CORRECTED})
"""Why a cycle brought less than a member expects; a plan of 0 is as agreed."""

PUNCTUAL = timedelta(hours=1)
"""A job that runs each hour is not late before."""


def headline(facts: Explanation) -> str:
    """Return the headline of an explanation."""
    return " ".join(HEADLINES[facts.code](facts))


def headline_of_stranger(member_id: str) -> str:
    """Return the headline about a member nobody knows."""
    return f"We know no member “{shown(member_id)}”. Please check the id."


def headline_of_closed(facts: Explanation) -> Iterator[str]:
    """Say that nothing more comes, and what stays."""
    yield f"{_status(facts, 'Your membership', 'closed')}."
    coming = facts.word.counted(sum(each.allowance for each in facts.waiting))
    keep = facts.word.counted(facts.settled.balance)
    if facts.waiting:
        # What was due before the closing is still posted by the next pass.
        yield f"You soon get your last {coming} and then have {facts.settled.balance}."
        yield "Those you keep, but you get no more after that."
    else:
        yield f"You get no more monthly {facts.word.plural}."
        yield f"You keep your {keep}." if facts.settled.balance else f"You have {keep}."


def headline_of_failed(facts: Explanation) -> Iterator[str]:
    """Say that we are late, why, and that nothing is lost."""
    what = "We could not bring your account up to date"
    if facts.member.renews_at <= facts.as_of:
        on = day(facts.local(facts.member.renews_at).date())
        what = f"Your renewal of {on} is late"
    yield f"{what}, {_because_of(facts.problem)}."
    yield "You lose nothing and get what is due when we have corrected this."
    yield _balance_now(facts)


def headline_of_review(facts: Explanation) -> Iterator[str]:
    """Say that all waits for the end of the review, and what then comes."""
    begun = _status(facts, "Your account", "under review")
    due = facts.word.counted(_due(facts))
    if facts.held_back:
        yield f"{begun}, and your {facts.word.plural} wait until it ends."
        balance = facts.released.balance
        yield f"If your account is then active, you get {due} and have {balance}."
        return
    yield f"{begun}."
    if facts.waiting:
        # What was due before the review began does not wait for its end.
        yield f"You soon get {due} from before and then have {facts.settled.balance}."
        yield f"Later {facts.word.plural} wait until the review ends."
    elif facts.ahead is None:
        yield _unknown(facts)
    elif facts.ahead.allowance:
        award = _award(facts, facts.ahead)
        yield f"You get {award} if the review is over by then."
        yield "Otherwise they wait for its end."
    else:
        yield _next(facts)


def headline_of_suspended(facts: Explanation) -> Iterator[str]:
    """Say that nothing comes while suspended, and what would otherwise."""
    yield f"{_status(facts, 'Your account', 'suspended')}."
    due = _due(facts)
    if due:
        # What was due before the suspension began is awarded all the same.
        balance = facts.settled.balance
        yield f"You soon get {facts.word.counted(due)} and then have {balance}."
    active = facts.outlook.ahead_if_active
    if active is None:
        yield _unknown(facts)
    elif active.allowance:
        award = _award(facts, active, is_short=due > 0)
        yield f"You get {award} only if your account is active again by then."
    else:
        yield _nothing(facts, active)


def headline_of_waiting(facts: Explanation) -> Iterator[str]:
    """Say that what has come is not here yet, and what it brings."""
    if not facts.waiting:
        ended = day(facts.cycle.last_day)
        yield f"Your billing cycle ended on {ended}, but your renewal is late."
        yield _unknown(facts)
        yield "You lose nothing."
    elif _boundaries(facts):
        yield from _late(facts)
    else:
        yield from _changing(facts)


def headline_of_renewed(facts: Explanation) -> Iterator[str]:
    """Say what came and what comes next."""
    award, last = facts.last_award, facts.last_cycle
    assert award is not None
    assert last is not None
    if _is_changing(facts):
        yield from _changing(facts)
        return
    on, brought = day(last.first_day), facts.word.counted(award.awarded)
    if award.reason == Reason.PLAN_CHANGED:
        yield f"You changed to {plan_name(award.cycle.plan)} on {on} and got {brought}."
    elif award.late:
        missing = f"{award.late} missing {facts.word.name(award.late)}"
        yield f"You got {missing} for your cycle of {on}."
    elif last.shortfall in TOO_LITTLE:
        yield _too_little(facts, last)
    elif award.awarded == 0:
        yield "Nothing is wrong."
        yield f"Your new billing cycle began on {on}."
    else:
        yield f"Your new billing cycle began on {on} and you got {brought}."
    if award.awarded:
        yield f"You now have {facts.member.balance}."
    yield _next(facts, is_short=award.awarded > 0)


def headline_of_last_day(facts: Explanation) -> Iterator[str]:
    """Say that it is the last day, and what comes tomorrow."""
    if (
        _is_changing(facts)
        or facts.ahead is None
        or facts.today != facts.cycle.last_day
    ):
        # In another zone than the cycle's, it is not this day that is the last.
        yield from headline_of_not_due(facts)
        return
    if _is_fine(facts):
        yield "Nothing is wrong."
    yield f"Today, {day(facts.today)}, is the last day of your billing cycle."
    yield _next(facts, " tomorrow,")


def headline_of_not_due(facts: Explanation) -> Iterator[str]:
    """Say that nothing is wrong, or what was, and what comes next."""
    if _is_changing(facts):
        yield from _changing(facts)
        return
    last = facts.last_cycle
    if _is_fine(facts):
        yield "Nothing is wrong."
        yield from _end_of_cycle(facts)
    elif facts.problem is None and last is not None:
        yield _too_little(facts, last)
    yield _next(facts)


HEADLINES: dict[Code, Callable[[Explanation], Iterator[str]]] = {
    Code.CLOSED: headline_of_closed,
    Code.FAILED: headline_of_failed,
    Code.UNDER_REVIEW: headline_of_review,
    Code.SUSPENDED: headline_of_suspended,
    Code.WAITING_FOR_PASS: headline_of_waiting,
    Code.RENEWED: headline_of_renewed,
    Code.LAST_DAY: headline_of_last_day,
    Code.NOT_DUE: headline_of_not_due,
}


def _status(facts: Explanation, what: str, status: str) -> str:
    """Return the status and, if it is known, since when."""
    since = facts.calls.status_since
    if since is None:
        return f"{what} is {status}"
    return f"{what} has been {status} since {day(facts.local(since).date())}"


def _because_of(problem: Problem | None) -> str:
    """Return why a member cannot be renewed, as far as a member cares."""
    if problem is not None and problem.plan is not None:
        return f"because our system has no rules for plan {plan_name(problem.plan)}"
    if problem is not None and problem.timezone is not None:
        zone = shown(problem.timezone)
        return f"because our system does not know the time zone {zone}"
    return "because of an error in our system"


def _unknown(facts: Explanation) -> str:
    """Return that nobody can say what comes next, and why."""
    return f"We cannot say yet what you get next, {_because_of(facts.problem)}."


def _next(facts: Explanation, soon: str = "", *, is_short: bool = False) -> str:
    """
    Return what comes next and when.

    *soon* stands before the day. In short, the credits have been named before.
    """
    if facts.ahead is None:
        return _unknown(facts)
    if facts.ahead.allowance == 0:
        return _nothing(facts, facts.ahead)
    return f"You get {_award(facts, facts.ahead, soon, is_short=is_short)}."


def _nothing(facts: Explanation, boundary: Boundary) -> str:
    """Return that a boundary to come brings nothing, and why."""
    at, why = moment(boundary.awards_at, facts.timezone), because(boundary.reason)
    return (
        f"Your next cycle begins on {at} without {facts.word.plural}, because "
        f"{why.ahead}."
    )


def _award(
    facts: Explanation, boundary: Boundary, soon: str = "", *, is_short: bool = False
) -> str:
    """Return the number and the date of an award to come."""
    award = facts.word.counted(boundary.allowance)
    if is_short:
        award = str(boundary.allowance)
    return f"your next {award}{soon} on {moment(boundary.awards_at, facts.timezone)}"


def _balance_now(facts: Explanation) -> str:
    """Return what the member has."""
    return f"You now have {facts.word.counted(facts.member.balance)}."


def _boundaries(facts: Explanation) -> list[Boundary]:
    """Return the boundaries that came and are not posted; a change of plan is none."""
    return [each for each in facts.waiting if each.reason != Reason.PLAN_CHANGED]


def _due(facts: Explanation) -> int:
    """Return what all that waits brings."""
    return sum(each.allowance for each in (*facts.waiting, *facts.held_back))


def _late(facts: Explanation) -> Iterator[str]:
    """Yield what came and is not posted yet, and what it brings."""
    boundaries, due = _boundaries(facts), _due(facts)
    first = boundaries[0]
    on = day(facts.local(first.awards_at).date())
    if due == 0:
        why = because(first.reason).before
        yield f"You get no {facts.word.plural} for your cycle of {on}, because {why}."
        yield _next(facts)
        return
    yield _cause(facts, boundaries)
    # What the first boundary lets expire was the member's to use in time.
    others_expire = any(each.expiring for each in boundaries[1:])
    are_missed = any(each.reason == Reason.CAUGHT_UP for each in boundaries)
    soon = f"You get {facts.word.counted(due)} soon"
    then = f"You then have {facts.settled.balance}"
    yield f"{soon}." if others_expire or are_missed else f"{soon} and lose nothing."
    rest = ", because others expire with their cycles"
    yield f"{then}{rest}." if others_expire else f"{then}."


def _cause(facts: Explanation, boundaries: Sequence[Boundary]) -> str:
    """Return why *boundaries*, which came, are not posted yet."""
    at, since = boundaries[0].awards_at, facts.calls.status_since
    on = day(facts.local(at).date())
    if facts.member.status is Status.UNDER_REVIEW and since is not None:
        return f"Your review ended on {day(facts.local(since).date())}."
    if facts.as_of - at <= PUNCTUAL and facts.member.cycle_n is None:
        return f"Nothing is wrong: your membership began on {on}."
    if facts.as_of - at <= PUNCTUAL:
        return f"Nothing is wrong: your new billing cycle began on {on}."
    if len(boundaries) == 1:
        return f"Our system is late with your {facts.word.plural} of {on}."
    cycles = plural(len(boundaries), "cycle")
    return f"Our system is late with your {facts.word.plural} for {cycles} since {on}."


def _is_changing(facts: Explanation) -> bool:
    """Whether nothing but changes of plan waits to be posted."""
    return bool(facts.waiting) and not _boundaries(facts)


def _changing(facts: Explanation) -> Iterator[str]:
    """Yield a change of plan that waits to be posted, and what comes after it."""
    last = facts.waiting[-1]
    due = facts.word.counted(_due(facts))
    yield (
        f"Your change to {plan_name(last.plan)} on {day(last.first_day)} soon brings "
        f"{due}, and you then have {facts.settled.balance}."
    )
    yield _next(facts)


def _end_of_cycle(facts: Explanation) -> Iterator[str]:
    """Yield the last day of the cycle, unless the cycle is that of another zone."""
    ahead = facts.ahead
    if ahead and moment(ahead.awards_at, facts.timezone) == day(ahead.first_day):
        yield f"Your billing cycle ends on {day(facts.cycle.last_day)}."


def _is_fine(facts: Explanation) -> bool:
    """Whether the last award was as agreed and the next one can be planned."""
    last = facts.last_cycle
    brought_enough = last is None or last.shortfall not in TOO_LITTLE
    return facts.problem is None and brought_enough


def _too_little(facts: Explanation, last: CycleRecord) -> str:
    """Return what the last award brought, and why it was no more."""
    got = facts.word.counted(last.awarded or 0)
    if last.awarded and last.expected is not None:
        got = f"{last.awarded} of {facts.word.counted(last.expected)}"
    why = because(last.shortfall).before
    return f"You got {got} on {day(last.first_day)}, because {why}."
