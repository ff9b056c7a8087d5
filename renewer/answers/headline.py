"""
The headline: is anything wrong, when do the next Connects come, and how many.

At most three short sentences and 40 words, fit to be sent alone. One function for each
status code yields the sentences.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from renewer.answers.explanation import Code, Explanation, skip_changes
from renewer.answers.wording import (
    day,
    day_at,
    moment,
    plan_name,
    plural,
    reason_in_words,
    shown,
)
from renewer.rules.cycle_history import CycleRecord
from renewer.rules.ledger import Reason, Status
from renewer.rules.posting import Boundary

PUNCTUAL = timedelta(hours=1)
"""A job that runs each hour is not late before."""


def headline(facts: Explanation) -> str:
    """Return the headline of an explanation."""
    return " ".join(HEADLINES[facts.code](facts))


def headline_of_stranger(member_id: str) -> str:
    """Return the headline about an id that no member has."""
    return f"We know no member “{shown(member_id)}”. Please check the id."


def headline_of_closed(facts: Explanation) -> Iterator[str]:
    """Say that nothing more comes, and what stays."""
    yield f"{_status(facts, 'Your membership', 'closed')}."
    due, balance = facts.word.counted(facts.due), facts.settled.balance
    if facts.waiting:
        # What was due before the closing is still posted by the next pass.
        yield f"You soon get your last {due} and then have {balance}."
        yield "Those you keep, but you get no more after that."
        return
    yield f"You get no more monthly {facts.word.plural}."
    keep = "have"
    if balance:
        keep = "keep your"
    yield f"You {keep} {facts.word.counted(balance)}."


def headline_of_failed(facts: Explanation) -> Iterator[str]:
    """Say that we are late, why, and that nothing is lost."""
    what = "We could not bring your account up to date"
    if facts.member.renews_at <= facts.as_of:
        on = day_at(facts.member.renews_at, facts.timezone)
        what = f"Your renewal of {on} is late"
    yield f"{what}, {_because_of_problem(facts)}."
    yield "You lose nothing and get what is due when we have corrected this."
    yield f"You now have {facts.word.counted(facts.member.balance)}."


def headline_of_review(facts: Explanation) -> Iterator[str]:
    """Say that all waits for the end of the review, and what then comes."""
    begun = _status(facts, "Your account", "under review")
    due = facts.word.counted(facts.due)
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
    else:
        yield _next(facts, facts.ahead, condition=" if the review is over by then")
        if facts.ahead is not None and facts.ahead.allowance:
            yield "Otherwise they wait for its end."


def headline_of_suspended(facts: Explanation) -> Iterator[str]:
    """Say that nothing comes while suspended, and what would otherwise."""
    yield f"{_status(facts, 'Your account', 'suspended')}."
    if facts.due:
        # What was due before the suspension began is awarded all the same.
        due, balance = facts.word.counted(facts.due), facts.settled.balance
        yield f"You soon get {due} and then have {balance}."
    condition = " only if your account is active again by then"
    is_short = facts.due > 0
    yield _next(facts, facts.ahead_if_active, condition=condition, is_short=is_short)


def headline_of_waiting(facts: Explanation) -> Iterator[str]:
    """Say that what has come is not here yet, and what it brings."""
    if not facts.waiting:
        ended = day(facts.cycle.last_day)
        yield f"Your billing cycle ended on {ended}, but your renewal is late."
        yield _next(facts, facts.ahead)
        yield "You lose nothing."
    elif _is_changing(facts):
        yield from _changing(facts)
    else:
        yield from _late(facts)


def headline_of_renewed(facts: Explanation) -> Iterator[str]:
    """Say what came and what comes next."""
    last = facts.last_cycle
    assert last is not None
    if _is_changing(facts):
        yield from _changing(facts)
        return
    on, awarded = day(last.first_day), last.awarded or 0
    brought = facts.word.counted(awarded)
    if last.reason == Reason.PLAN_CHANGED:
        yield f"You changed to {plan_name(last.plan)} on {on} and got {brought}."
    elif last.late:
        missing = f"{last.late} missing {facts.word.name(last.late)}"
        yield f"You got {missing} for your cycle of {on}."
    elif _is_too_little(last):
        yield _too_little(facts, last)
    elif awarded == 0:
        yield "Nothing is wrong."
        yield f"Your new billing cycle began on {on}."
    else:
        yield f"Your new billing cycle began on {on} and you got {brought}."
    if awarded:
        yield f"You now have {facts.member.balance}."
    yield _next(facts, facts.ahead, is_short=awarded > 0)


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
    yield _next(facts, facts.ahead, " tomorrow,")


def headline_of_not_due(facts: Explanation) -> Iterator[str]:
    """Say that nothing is wrong, or what was, and what comes next."""
    if _is_changing(facts):
        yield from _changing(facts)
        return
    last = facts.last_cycle
    if _is_fine(facts):
        yield "Nothing is wrong."
        ahead = facts.ahead
        # Unless the cycle is that of another zone.
        if ahead and moment(ahead.awards_at, facts.timezone) == day(ahead.first_day):
            yield f"Your billing cycle ends on {day(facts.cycle.last_day)}."
    elif facts.problem is None and last is not None:
        yield _too_little(facts, last)
    yield _next(facts, facts.ahead)


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
    return f"{what} has been {status} since {day_at(since, facts.timezone)}"


def _because_of_problem(facts: Explanation) -> str:
    """Return why a member cannot be renewed, as far as a member cares."""
    problem = facts.problem
    if problem is not None and problem.plan is not None:
        return f"because our system has no rules for plan {plan_name(problem.plan)}"
    if problem is not None and problem.timezone is not None:
        zone = shown(problem.timezone)
        return f"because our system does not know the time zone {zone}"
    return "because of an error in our system"


def _next(
    facts: Explanation,
    ahead: Boundary | None,
    soon: str = "",
    condition: str = "",
    *,
    is_short: bool = False,
) -> str:
    """
    Return what the boundary *ahead* brings and when, or why nobody can say.

    *soon* stands before the day, *condition* at the end. In short, the credits have
    been named before.
    """
    if ahead is None:
        return f"We cannot say yet what you get next, {_because_of_problem(facts)}."
    at = moment(ahead.awards_at, facts.timezone)
    if ahead.allowance == 0:
        return (
            f"Your next cycle begins on {at} without {facts.word.plural}, because "
            f"{reason_in_words(ahead.reason).ahead}."
        )
    award = str(ahead.allowance) if is_short else facts.word.counted(ahead.allowance)
    return f"You get your next {award}{soon} on {at}{condition}."


def _late(facts: Explanation) -> Iterator[str]:
    """Yield what came and is not posted yet, and what it brings."""
    boundaries, due = skip_changes(facts.waiting), facts.due
    first = boundaries[0]
    if due == 0:
        why = reason_in_words(first.reason).before
        on = day_at(first.awards_at, facts.timezone)
        yield f"You get no {facts.word.plural} for your cycle of {on}, because {why}."
        yield _next(facts, facts.ahead)
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
    on = day_at(at, facts.timezone)
    if facts.member.status is Status.UNDER_REVIEW and since is not None:
        return f"Your review ended on {day_at(since, facts.timezone)}."
    if facts.as_of - at <= PUNCTUAL:
        began = "new billing cycle"
        if facts.member.cycle_n is None:
            began = "membership"
        return f"Nothing is wrong: your {began} began on {on}."
    late = f"Our system is late with your {facts.word.plural}"
    if len(boundaries) == 1:
        return f"{late} of {on}."
    return f"{late} for {plural(len(boundaries), 'cycle')} since {on}."


def _is_changing(facts: Explanation) -> bool:
    """Whether nothing but changes of plan waits to be posted."""
    return bool(facts.waiting) and not skip_changes(facts.waiting)


def _changing(facts: Explanation) -> Iterator[str]:
    """Yield a change of plan that waits to be posted, and what comes after it."""
    last, due = facts.waiting[-1], facts.word.counted(facts.due)
    yield (
        f"Your change to {plan_name(last.plan)} on {day(last.first_day)} soon brings "
        f"{due}, and you then have {facts.settled.balance}."
    )
    yield _next(facts, facts.ahead)


def _is_fine(facts: Explanation) -> bool:
    """Whether the last award was as agreed and the next one can be planned."""
    last = facts.last_cycle
    return facts.problem is None and (last is None or not _is_too_little(last))


def _is_too_little(cycle: CycleRecord) -> bool:
    """Whether a cycle brought less than a member expects; a plan of 0 is as agreed."""
    return reason_in_words(cycle.shortfall).is_too_little


def _too_little(facts: Explanation, last: CycleRecord) -> str:
    """Return what the last award brought, and why it was no more."""
    got = facts.word.counted(last.awarded or 0)
    if last.awarded and last.expected is not None:
        got = f"{last.awarded} of {facts.word.counted(last.expected)}"
    why = reason_in_words(last.shortfall).before
    return f"You got {got} on {day(last.first_day)}, because {why}."
