"""
The rules of renewals, written down for members.

Every number and every worked example is computed by the job's own planner from the
plans on record: nothing here can say what the job does not do.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from renewer.answers.wording import Word, day, kept, listed, plan_name, plural
from renewer.errors import PlanError
from renewer.rules.calendar import Calendar, starts_at
from renewer.rules.forecast import beyond
from renewer.rules.ledger import Lot, Member, Source, Status
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Boundary

STARTED_DAY = 10
ANCHOR_DAY = 31
MONTHS = 3
SOME = 7
"""How many unused Connects the examples start with, when a plan gives more."""


def rulebook(plans: Plans, now: datetime, word: Word) -> dict[str, Any]:
    """Return the rules of *plans* in words, as they are in force at *now*."""
    today = now.astimezone(UTC).date()
    rules = list(_in_force(plans, today))
    return {
        "as_of": now,
        "topics": list(_topics(rules, plans, today, word)),
        "plans": [_plan(each, plans, today) for each in rules],
    }


def _in_force(plans: Plans, today: date) -> Iterator[Revision]:
    for code in plans.codes():
        try:
            yield plans.in_force(code, today)
        except PlanError:
            continue  # its first rules are still to come


def _topics(
    rules: Sequence[Revision], plans: Plans, today: date, word: Word
) -> Iterator[dict[str, Any]]:
    """Yield each topic: its code, its title, its sentences."""
    started = today.replace(day=STARTED_DAY)
    calendar = Calendar(started, "UTC")
    first, renewed = calendar.cycle(0), calendar.first_day(1)
    yield _topic(
        "when",
        f"When {word.plural} renew",
        "Your membership has billing cycles of its own. They start on the day of the "
        "month on which your membership started, not on the 1st.",
        f"A membership that started on {day(started)} has the cycle "
        f"{day(first.first_day)} to {day(first.last_day)}, both days included. "
        f"The next {word.plural} come on {day(renewed)}.",
        "The last day belongs to the old cycle: the renewal comes the day after.",
    )
    yield _topic("short_months", "Short months", _short_months(today))
    yield _topic("time_zones", "Time zones", _time_zones(today))
    unused = [_unused(each, plans, today, word) for each in rules]
    none = ["No plan has rules today."]
    yield _topic("unused", f"Unused {word.plural}", *(unused or none))
    yield _topic(
        "bought",
        f"Bought {word.plural} and bonuses",
        "The end of a cycle never touches them. They end on their own last day, if "
        "they have one.",
    )
    yield _topic(
        "returned",
        f"Returned {word.plural}",
        f"{word.plural} that come back are what they were before they were spent. "
        "Those whose cycle or lifetime is over meanwhile belong to the present cycle.",
    )
    yield _topic(
        "plan_change",
        "A change of plan",
        "With the next cycle: the new plan's rules govern from its first day.",
        f"At once: a new cycle starts that day, unused {word.plural} stay, and what "
        "your old cycle had already given for the days to come is set off.",
    )
    yield _topic(
        "review",
        "A review",
        "While an account is under review, renewals and expiries wait. When the review "
        "ends, all that waited is made up for, oldest first.",
    )


def _topic(code: str, title: str, *texts: str) -> dict[str, Any]:
    return {"code": code, "title": title, "texts": list(texts)}


def _short_months(today: date) -> str:
    """Return the example of a membership that started on the 31st of January."""
    anchor = date(today.year, 1, ANCHOR_DAY)
    calendar = Calendar(anchor, "UTC")
    starts = [calendar.first_day(n) for n in range(MONTHS + 1)]
    told = listed([day(each) for each in starts[1:]])
    return (
        f"A membership that started on {day(anchor)} renews on {told}: in a month that "
        "is too short on its last day, and then on the old day again."
    )


def _time_zones(today: date) -> str:
    on = Calendar(today.replace(day=STARTED_DAY), "UTC").first_day(1)
    at = starts_at(on, "America/New_York")
    return (
        "A day begins and ends in your own time zone. The cycle that starts on "
        f"{day(on)} in New York starts at {at.astimezone(UTC):%H:%M} UTC."
    )


def example(revision: Revision, plans: Plans, today: date) -> tuple[int, Boundary]:
    """
    Return a number of unused Connects, and what the planner does with them.

    The member's plan is *revision*'s, and their present cycle contains *today*.
    """
    anchor = today.replace(day=min(today.day, 28))
    # Above the cap something is lost, which is what the example is to show.
    cap = revision.rollover_cap
    unused = SOME if cap is None else cap + SOME
    calendar = Calendar(anchor, "UTC")
    issued_at = calendar.boundary(0)
    lots = (Lot(1, Source.ALLOWANCE, unused, issued_at, None),)
    held = Member(
        "example", 0, revision.code, anchor, "UTC", Status.ACTIVE, unused, 0,
        calendar.boundary(1), last_seq=1, last_lot=1, lots=lots,
        cycle_first_day=anchor, cycle_last_day=calendar.last_day(0),
        first_boundary_on=anchor, last_boundary_at=issued_at,
    )  # fmt: skip
    return unused, next(beyond(held, plans))


def _unused(revision: Revision, plans: Plans, today: date, word: Word) -> str:
    unused, then = example(revision, plans, today)
    return (
        f"Plan {plan_name(revision.code)}: of {unused} unused monthly {word.plural} "
        f"{then.carried} stay and {then.expiring} expire when the cycle ends; with the "
        f"{then.allowance} new ones you have {then.balance_after}."
    )


def _plan(revision: Revision, plans: Plans, today: date) -> dict[str, Any]:
    """Return a plan's rules with the planner's example."""
    unused, then = example(revision, plans, today)
    months = revision.lifetime_months
    coming = [
        {"from": each.effective_from, "allowance": each.allowance}
        for each in islice(plans.after(revision.code, today), 3)
    ]
    return {
        "code": revision.code,
        "name": plan_name(revision.code),
        **revision.rules,
        "allowance": then.allowance,
        "keeps": kept(revision.rollover_cap, "none"),
        "lifetime": plural(months, "month") if months else "no end of their own",
        "example": {
            "unused": unused,
            "carried": then.carried,
            "expiring": then.expiring,
            "balance_after": then.balance_after,
        },
        "coming": coming,
    }
