"""What a member's state comes to: the beginning of the sentence."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from renewer.awards import Gap
from renewer.cycle import zone
from renewer.explanation import Code, Explanation
from renewer.forecast import Foreseen
from renewer.ledger import Reason
from renewer.sentence.words import age, connects, day, days, instant


def state(told: Explanation) -> Iterator[str]:
    """Yield what the member's state comes to."""
    yield from MAIN[told.code](told)


def _closed(told: Explanation) -> Iterator[str]:
    since = f" since {local_day(told, told.since)}" if told.since else ""
    yield (
        f"your membership has been closed{since}, so no Connects renew any more"
        if since
        else ("your membership is closed, so no Connects renew any more")
    )
    yield f"your balance of {connects(told.member.balance)} stays as it is"


def _failed(told: Explanation) -> Iterator[str]:
    failure, renews_at = told.failure, told.member.renews_at
    assert failure is not None
    what = "your account could not be brought up to date"
    if renews_at <= told.as_of:
        what = f"your renewal of {at_local(told, renews_at)} could not be posted"
    yield f"{what}, because {_error(told)}"
    if failure.parked:
        yield "it is set aside for a person on our side to mend, nothing is lost, and the award keeps its date"
    else:
        tried = "once" if failure.attempts == 1 else f"{failure.attempts} times"
        again = at_local(told, failure.next_try_at)
        yield f"it was tried {tried} and is tried again on {again}; nothing is lost, and the award keeps its date"


def _error(told: Explanation) -> str:
    """Return what went wrong in a person's words."""
    assert told.failure is not None
    if told.failure.code == "PlanError":
        return f"the rules of your plan “{told.pending_plan or told.member.plan}” are missing in our system"
    if told.failure.code == "InputError" and "zone" in told.failure.message:
        return f"our system does not know your time zone “{told.member.timezone}”"
    return f"of an error in our system (code {told.failure.code})"


def _under_review(told: Explanation) -> Iterator[str]:
    waiting = [each for each in told.upcoming if each.awards_at <= told.as_of]
    yield f"your account is under review{_since(told)}, and renewals wait until that ends"
    if waiting:
        yield (
            f"{_renewals_wait(told, waiting)} and nothing is lost: as soon as the review ends with your account "
            "active, all that waited is posted, each with its own date"
        )
        yield _settled(told, waiting, "would today become")
    else:
        yield f"{_cycle(told)} and no renewal has been missed so far"
        if told.upcoming:
            award = f"{_brings(told.upcoming[0])} on {at_local(told, told.upcoming[0].awards_at)}"
            yield f"{award} if the review is over by then"


def _renewals_wait(told: Explanation, waiting: Sequence[Foreseen]) -> str:
    since = at_local(told, waiting[0].awards_at)
    if len(waiting) == 1:
        return f"that of {since} waits"
    return f"{len(waiting)} wait, the oldest since {since},"


def _settled(told: Explanation, waiting: Sequence[Foreseen], becomes: str) -> str:
    """Return what posting all that is *waiting* makes of the balance."""
    expire, awarded = sum(each.expiring for each in waiting), sum(each.allowance for each in waiting)
    text = f"your balance of {told.member.balance} {becomes} {waiting[-1].balance_after}"
    return f"{text}, for {awarded} are awarded and {expire} unused expire" if expire else text


def _suspended(told: Explanation) -> Iterator[str]:
    yield f"your account is suspended{_since(told)}, so monthly Connects are not awarded"
    yield f"{_cycle(told)} and goes on"
    waiting = [each for each in told.upcoming if each.awards_at <= told.as_of]
    if waiting:
        yield f"the renewal of {at_local(told, waiting[0].awards_at)}, which is not posted yet, will be 0"
        yield _settled(told, waiting, "then becomes")
    elif told.awards_at:
        yield f"the renewal of {at_local(told, told.awards_at)} will be 0 unless your account is active again by then"
    yield "awards return with the first cycle that starts after your account is active again"


def _waiting_for_pass(told: Explanation) -> Iterator[str]:
    waiting = [each for each in told.upcoming if each.awards_at <= told.as_of]
    renews_at = told.member.renews_at
    late = f"due since {at_local(told, renews_at)}, {age(told.as_of - renews_at)} ago"
    if told.member.cycle_n is None:
        yield f"your first renewal, {late}, is not posted yet"
    elif len(waiting) > 1:
        total = connects(sum(each.allowance for each in waiting))
        yield (
            f"your billing cycle ended on {day(told.cycle.last_day)}, and since then {len(waiting)} renewals "
            f"({total} in all), the oldest {late}, have not been posted yet"
        )
    else:
        award = f"your {connects(waiting[0].allowance)}, {late}, are" if waiting else f"the renewal, {late}, is"
        yield f"your billing cycle ended on {day(told.cycle.last_day)}, but {award} not posted yet"
    yield "our renewal job is late; nothing is lost, and its next run posts what is due, with its own date"
    if waiting:
        yield _settled(told, waiting, "then becomes")


def _renewed(told: Explanation) -> Iterator[str]:
    award = told.last_award
    assert award is not None
    began = f"your current billing cycle runs from {days(told.cycle.first_day, told.cycle.last_day)}"
    if award.awarded:
        late = " (made up for late)" if award.late else ""
        yield f"{began} and its {connects(award.awarded)} have been awarded{late}"
    else:
        yield f"{began} and its award was 0, because {why_zero(told)}"
    yield f"your balance is {told.member.balance}"
    yield from _next(told)


def _last_day(told: Explanation) -> Iterator[str]:
    cycle, today = told.cycle, local_day(told, told.as_of)
    if today == day(cycle.last_day):
        yield f"today, {today}, is the last day of your billing cycle ({days(cycle.first_day, cycle.last_day)})"
    else:
        former = told.member.boundary_timezone
        yield f"{_cycle(told)}, by the time of {former}, your zone until you changed it, where that day is not over"
    if told.upcoming:
        award_at = told.upcoming[0].awards_at
        when = (
            "tomorrow, on " if local_day(told, told.as_of + timedelta(days=1)) == local_day(told, award_at) else "on "
        )
        yield f"nothing is wrong: {_brings(told.upcoming[0])} {when}{at_local(told, award_at)}"


def _not_due(told: Explanation) -> Iterator[str]:
    yield f"nothing is wrong: {_cycle(told)}"
    yield from _next(told)


def _next(told: Explanation) -> Iterator[str]:
    if told.upcoming:
        yield f"{_brings(told.upcoming[0])} the day after it ends, on {at_local(told, told.upcoming[0].awards_at)}"
    elif told.awards_at:
        yield f"the next one begins on {at_local(told, told.awards_at)}"


MAIN = {
    Code.CLOSED: _closed,
    Code.FAILED: _failed,
    Code.UNDER_REVIEW: _under_review,
    Code.SUSPENDED: _suspended,
    Code.WAITING_FOR_PASS: _waiting_for_pass,
    Code.RENEWED: _renewed,
    Code.LAST_DAY: _last_day,
    Code.NOT_DUE: _not_due,
}


def at_local(told: Explanation, at: datetime) -> str:
    """Return an instant for the member."""
    return instant(at, told.timezone)


def local_day(told: Explanation, at: datetime) -> str:
    """Return the member's day of an instant."""
    return day(at.astimezone(zone(told.timezone)).date())


def _since(told: Explanation) -> str:
    return f" since {local_day(told, told.since)}" if told.since else ""


def _cycle(told: Explanation) -> str:
    return f"your billing cycle runs from {days(told.cycle.first_day, told.cycle.last_day)}"


def _brings(upcoming: Foreseen) -> str:
    if not upcoming.allowance:
        return f"your next cycle, which brings no Connects under plan {upcoming.plan}, begins"
    return f"your next {connects(upcoming.allowance)} are awarded"


def why_zero(told: Explanation) -> str:
    """Return why the last award was 0."""
    last = next(each for each in reversed(told.cycles) if each.posted)
    assert told.last_award is not None
    return ZERO.get(last.reason, f"plan {told.last_award.cycle.plan} included no monthly Connects then")


ZERO: dict[str | None, str] = {
    Reason.SUSPENDED: "your account was suspended then",
    Reason.CAUGHT_UP: "that cycle was missed and only the latest one was awarded",
    Reason.PLAN_CHANGED: "a change of plan brought nothing beyond what you had",
    Gap.RULES_CORRECTED: "the rules of your plan were corrected only later",
}
