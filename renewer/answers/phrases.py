"""What several clauses say of the facts in the same words."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from renewer.answers.explanation import Explanation
from renewer.answers.wording import age, connects, day, days, instant, listed
from renewer.rules.cycle import zone
from renewer.rules.ledger import Reason
from renewer.rules.posting import Boundary

PUNCTUAL = timedelta(hours=1)
"""A job that runs each hour is not late before."""


def at_local(told: Explanation, at: datetime) -> str:
    """Return an instant for the member."""
    return instant(at, told.timezone)


def instant_of_day(told: Explanation, at: datetime) -> str:
    """Return the hour of an instant for the member, with its zone."""
    return at_local(told, at).removeprefix(f"{local_day(told, at)} ")


def local_day(told: Explanation, at: datetime) -> str:
    """Return the member's day of an instant."""
    return day(at.astimezone(zone(told.timezone)).date())


def cycle_text(told: Explanation) -> str:
    """Return the two days of the cycle."""
    return f"your billing cycle runs from {days(told.cycle.first_day, told.cycle.last_day)}"


def since(told: Explanation) -> str:
    """Return since when the member has their status, if that is known."""
    return f" since {local_day(told, told.calls.status_since)}" if told.calls.status_since else ""


def moved(told: Explanation) -> bool:
    """Whether the next boundary is that of a zone the member has left, at another hour than midnight."""
    return told.member.boundary_timezone is not None


def when(told: Explanation, boundary: Boundary) -> str:
    """Return the day of a boundary, or its instant where that is not the beginning of a day."""
    return at_local(told, boundary.awards_at) if moved(told) else day(boundary.first_day)


def brings(boundary: Boundary) -> str:
    """Return what a boundary to come brings."""
    if boundary.allowance:
        return f"your next {connects(boundary.allowance)} are awarded"
    return f"your next cycle, which brings no Connects because {why_zero(boundary.reason, boundary.plan)}, begins"


def why_zero(reason: str | None, plan: str) -> str:
    """Return why a renewal is 0."""
    return ZERO.get(reason, f"plan {plan} includes none")


ZERO: dict[str | None, str] = {
    Reason.SUSPENDED: "your account was suspended then",
    Reason.CAUGHT_UP: "several cycles were missed and only the latest is awarded",
    Reason.PLAN_CHANGED: "the change brings nothing beyond what you had",
}


def why_failed(message: str, timezone: str) -> str:
    """Return what is wrong with a plan or a zone in a person's words; empty for any other failure."""
    plan = re.search(r"plan '([^']*)'", message)
    if plan:
        return f"the rules of plan “{plan[1]}” are missing in our system"
    if "time zone" in message:
        return f"our system does not know your time zone “{timezone}”"
    return ""


def unposted(told: Explanation, waiting: Sequence[Boundary]) -> list[str]:
    """Return clauses about boundaries, and changes of plan, that came and are not posted."""
    clauses = []
    boundaries = [each for each in waiting if each.reason != Reason.PLAN_CHANGED]
    if len(boundaries) == 1:
        (one,) = boundaries
        if one.allowance:
            what = f"your {connects(one.allowance)}, {_due(told, one)}, are not posted yet"
        else:
            what = f"the renewal {_due(told, one)} is not posted yet and will be 0, because "
            what += why_zero(one.reason, one.plan)
        clauses.append(what)
    elif boundaries:
        total = connects(sum(each.allowance for each in boundaries))
        clauses.append(
            f"{len(boundaries)} renewals, the oldest {_due(told, boundaries[0])}, are not posted yet, {total} in all"
        )
        for reason in dict.fromkeys(each.reason for each in boundaries if not each.allowance):
            zeros = [each for each in boundaries if not each.allowance and each.reason == reason]
            which = listed([day(each.first_day) for each in zeros])
            if len(zeros) > 3:
                which = f"{day(zeros[0].first_day)} to {day(zeros[-1].first_day)}"
            of = "that of" if len(zeros) == 1 else "those of"
            clauses.append(f"{of} {which} will be 0, because {why_zero(reason, zeros[0].plan)}")
    for change in waiting:
        if change.reason == Reason.PLAN_CHANGED:
            clauses.append(
                f"your change to plan {change.plan} of {day(change.first_day)} is recorded and not applied yet: it "
                f"brings {connects(change.allowance)} and a cycle from {days(change.first_day, change.last_day)}"
            )
    return clauses


def _due(told: Explanation, boundary: Boundary) -> str:
    waited = told.as_of - boundary.awards_at
    return f"due since {at_local(told, boundary.awards_at)}" + (f", {age(waited)} ago" if waited else "")


def next_run(told: Explanation, waiting: Sequence[Boundary]) -> str:
    """Return what becomes of what is not posted."""
    lost = any(each.reason == Reason.CAUGHT_UP for each in waiting)
    late = told.as_of - waiting[0].awards_at > PUNCTUAL and not released(told)
    run = "our renewal job is late; " if late else ""
    run += "" if lost else "nothing is lost, and "
    return f"{run}{'its next run' if late else 'the next run of our renewal job'} posts what is due, with its own date"


def released(told: Explanation) -> bool:
    """Whether a review held back what is not posted yet, and has ended."""
    return told.member.status != told.status and told.member.status == "under_review"


def settles(told: Explanation, waiting: Sequence[Boundary], becomes: str) -> str:
    """Return what posting all that is *waiting* makes of the balance."""
    expire, awarded = sum(each.expiring for each in waiting), sum(each.allowance for each in waiting)
    text = f"your balance of {told.member.balance} {becomes} {waiting[-1].balance_after}"
    return f"{text}, for {awarded} are awarded and {expire} unused expire" if expire else text


def last_zero(told: Explanation) -> str:
    """Return why the last award on record was 0."""
    last, award = next(each for each in reversed(told.cycles) if each.posted), told.last_award
    assert award is not None
    if last.reason == "rules_corrected":
        return "the rules of your plan were corrected only later"
    return {
        Reason.SUSPENDED.value: "your account was suspended then",
        Reason.CAUGHT_UP.value: "that cycle was missed and only the latest one was awarded",
        Reason.PLAN_CHANGED.value: "your change of plan brought nothing beyond what you had",
    }.get(last.reason or "", f"plan {award.cycle.plan} included no monthly Connects then")
