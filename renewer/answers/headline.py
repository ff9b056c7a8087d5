"""What a member's state comes to: the beginning of the sentence."""

from collections.abc import Iterator
from datetime import timedelta

from renewer.answers.explanation import Code, Explanation
from renewer.answers.phrases import (
    at_local,
    brings,
    cycle_text,
    last_zero,
    local_day,
    moved,
    next_run,
    released,
    settles,
    since,
    unposted,
    why_failed,
)
from renewer.answers.wording import connects, day, days
from renewer.rules.ledger import Reason


def state(told: Explanation) -> Iterator[str]:
    """Yield what the member's state comes to."""
    yield from STATES[told.code](told)


def _closed(told: Explanation) -> Iterator[str]:
    status_since = since(told)
    yield f"your membership {'has been' if status_since else 'is'} closed{status_since}, so no Connects renew any more"
    balance, settled = told.member.balance, told.settled.balance
    if told.waiting:
        yield from unposted(told, told.waiting)
        yield "what was due before the closing is still posted by the next run of our renewal job"
    if settled != balance:
        yield f"your balance of {balance} then becomes {settled} and stays as it is"
    else:
        yield f"your balance of {connects(balance)} stays as it is"


def _failed(told: Explanation) -> Iterator[str]:
    failure, renews_at = told.failure, told.member.renews_at
    assert failure is not None
    what = "your account could not be brought up to date"
    if renews_at <= told.as_of:
        what = f"your renewal of {at_local(told, renews_at)} could not be posted"
    why = why_failed(failure.message, told.member.timezone) or f"of an error in our system (code {failure.code})"
    yield f"{what}, because {why}"
    if failure.parked:
        yield "it is set aside for a person on our side to mend, nothing is lost, and the award keeps its date"
        return
    tried = "once" if failure.attempts == 1 else f"{failure.attempts} times"
    again = f"on {at_local(told, failure.retry_at)}"
    if failure.retry_at <= told.as_of:
        again = "with the next run of our renewal job"
    yield f"it was tried {tried} and is tried again {again}; nothing is lost, and the award keeps its date"


def _under_review(told: Explanation) -> Iterator[str]:
    yield f"your account is under review{since(told)}, and renewals wait until that ends"
    if told.waiting:
        yield from unposted(told, told.waiting)
        yield "what was due before the review began is posted by the next run of our renewal job"
    held = told.held_back
    if held:
        oldest = at_local(told, held[0].awards_at)
        which = f"that of {oldest} waits" if len(held) == 1 else f"{len(held)} wait, the oldest since {oldest},"
        yield (
            f"{which} and nothing is lost: as soon as the review ends with your account active, all that waited is "
            "posted, each with its own date"
        )
        yield settles(told, [*told.waiting, *held], "would today become")
    elif not told.waiting:
        yield cycle_text(told)
        if told.problem:
            yield _unplanned(told)
    if told.ahead and not held:
        award = f"{brings(told.ahead)} on {at_local(told, told.ahead.awards_at)}"
        yield f"no renewal has been held back so far, and {award} if the review is over by then"


def _suspended(told: Explanation) -> Iterator[str]:
    yield f"your account is suspended{since(told)}, so monthly Connects are not awarded"
    if told.waiting:
        yield from unposted(told, told.waiting)
        yield next_run(told, told.waiting)
        yield settles(told, told.waiting, "then becomes")
    else:
        yield f"{cycle_text(told)} and goes on"
        if told.problem:
            yield _unplanned(told)
    if told.ahead:
        at = at_local(told, told.ahead.awards_at)
        yield f"the renewal of {at} will be 0 unless your account is active again by then"
    yield "awards return with the first cycle that starts after your account is active again"


def _waiting_for_pass(told: Explanation) -> Iterator[str]:
    if told.problem:
        yield f"your billing cycle ended on {day(told.cycle.last_day)}; {_unplanned(told)}"
        return
    if released(told):
        yield f"your review ended{since(told).replace('since', 'on')}, and what it held back is not posted yet"
    clauses = unposted(told, told.waiting)
    if told.member.cycle_n is None or told.waiting[0].reason == Reason.PLAN_CHANGED:
        yield from clauses
    else:
        yield f"your billing cycle ended on {day(told.cycle.last_day)}, but {clauses[0]}"
        yield from clauses[1:]
    yield next_run(told, told.waiting)
    yield settles(told, told.waiting, "then becomes")


def _unplanned(told: Explanation) -> str:
    """Return that what comes cannot be said, and why."""
    assert told.problem is not None
    at = told.member.renews_at
    was = f"the renewal due since {at_local(told, at)}" if at <= told.as_of else f"the renewal of {at_local(told, at)}"
    why = why_failed(told.problem, told.member.timezone) or "of an error in our system"
    return f"what {was} brings cannot be said yet, because {why}, which is for us to mend"


def _changing(told: Explanation) -> Iterator[str]:
    """Yield a change of plan that waits; nothing when none does."""
    if told.waiting:
        yield from unposted(told, told.waiting)
        yield "the next run of our renewal job applies it"
        yield settles(told, told.waiting, "then becomes")
        if told.ahead:
            yield f"{brings(told.ahead)} on {at_local(told, told.ahead.awards_at)}"


def _renewed(told: Explanation) -> Iterator[str]:
    award = told.last_award
    assert award is not None
    began = f"your current billing cycle runs from {days(told.cycle.first_day, told.cycle.last_day)}"
    if award.awarded:
        late = " (made up for late)" if award.late else ""
        verb = "has" if award.awarded == 1 else "have"
        yield f"{began} and its {connects(award.awarded)} {verb} been awarded{late}"
    else:
        yield f"{began} and its award was 0, because {last_zero(told)}"
    yield f"your balance is {told.member.balance}"
    yield from _next(told)


def _last_day(told: Explanation) -> Iterator[str]:
    cycle, today = told.cycle, local_day(told, told.as_of)
    if today == day(cycle.last_day):
        yield f"today, {today}, is the last day of your billing cycle ({days(cycle.first_day, cycle.last_day)})"
    else:
        yield f"{cycle_text(told)} by the time of {told.member.boundary_timezone}, where that day is not over"
    if told.ahead and not told.waiting:
        award_at = told.ahead.awards_at
        tomorrow = local_day(told, told.as_of + timedelta(days=1)) == local_day(told, award_at)
        at = f"{'tomorrow, ' if tomorrow else ''}on {at_local(told, award_at)}"
        yield f"nothing is wrong: {brings(told.ahead)} {at}"
    else:
        yield from _next(told)


def _not_due(told: Explanation) -> Iterator[str]:
    award = told.last_award
    fine = not told.problem and (award is None or award.awarded or award.reason == Reason.PLAN_CHANGED)
    yield f"nothing is wrong: {cycle_text(told)}" if fine else cycle_text(told)
    yield from _next(told)


def _next(told: Explanation) -> Iterator[str]:
    """Yield what comes next: a change that waits, or the award, its day and its zone."""
    if told.waiting:
        yield from _changing(told)
    elif told.ahead:
        after = "" if moved(told) else "the day after it ends, "
        yield f"{brings(told.ahead)} {after}on {at_local(told, told.ahead.awards_at)}"
    else:
        yield _unplanned(told)
    if moved(told):
        yield f"that is when your cycle ends in {told.member.boundary_timezone}, your time zone until you changed it"


STATES = {
    Code.CLOSED: _closed,
    Code.FAILED: _failed,
    Code.UNDER_REVIEW: _under_review,
    Code.SUSPENDED: _suspended,
    Code.WAITING_FOR_PASS: _waiting_for_pass,
    Code.RENEWED: _renewed,
    Code.LAST_DAY: _last_day,
    Code.NOT_DUE: _not_due,
}
