"""
How things are said to a person: days, instants, numbers, reasons, names.

The one place where words are put together for what several answers say.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from renewer.rules.calendar import starts_at, timezones, zone
from renewer.rules.cycle_history import Shortfall
from renewer.rules.ledger import Reason
from renewer.rules.value import value


@value
class Word:
    """What the marketplace calls its credits: one of them, and several."""

    singular: str = "Connect"
    plural: str = "Connects"

    def counted(self, number: int) -> str:
        """Return a number of credits in words: "no Connects", "1 Connect", "2 …"."""
        if number == 0:
            return f"no {self.plural}"
        return f"{number} {self.name(number)}"

    def name(self, number: int) -> str:
        """Return what so many credits are called."""
        return self.singular if number == 1 else self.plural

    def instead(self, text: str) -> str:
        """
        Return a line of the view `statement`, which says Connects, in this word.

        The view's lines hold no text of others: what is called so there is ours.
        """

        def say(found: re.Match[str]) -> str:
            at_beginning = found.start() == 0
            return capitalised(self.plural) if at_beginning else self.plural

        return OUR_WORD.sub(say, text)


CONNECTS = Word()
OUR_WORD = re.compile(rf"\b{CONNECTS.plural}\b")


@value
class Note:
    """
    One sentence about one thing.

    *code* names the thing and never changes. *values* are the numbers, days and
    instants of *text*, so that nobody has to read them out of it.
    """

    code: str
    text: str
    values: Mapping[str, Any]


class Because(NamedTuple):
    """A reason in words: of what happened *before*, and of what is *ahead*."""

    before: str
    ahead: str


NO_ALLOWANCE = Because("the plan included none", "the plan includes none")

REASONS: Mapping[str, Because] = {
    Reason.SUSPENDED: Because(
        "your account was suspended then", "your account is suspended"
    ),
    Reason.CAUGHT_UP: Because(
        "they were missed and not made up for", "only the latest cycle counts"
    ),
    Reason.PLAN_CHANGED: Because(
        "you had received them before your change of plan",
        "you have received them before your change of plan",
    ),
    Shortfall.NO_ALLOWANCE: NO_ALLOWANCE,
    Shortfall.RULES_CORRECTED: Because(
        "the plan's rules were corrected later", "the plan's rules were corrected"
    ),
}
"""
Why a member gets less than they expect; each reason goes on from the credits.

The view `statement` says the same in its own short form.
"""


def because(reason: str | None) -> Because:
    """Return a reason in words; a renewal of 0 without one has a plan of 0."""
    return REASONS.get(reason or Shortfall.NO_ALLOWANCE, NO_ALLOWANCE)


def day(on: date) -> str:
    """Return a day: "19 May 2016"."""
    return f"{on.day} {on:%B} {on.year}"


def days(first: date, last: date) -> str:
    """Return two inclusive days; the year they share is said once."""
    if first.year != last.year:
        return f"{day(first)} to {day(last)}"
    return f"{first.day} {first:%B} to {day(last)}"


def usable_timezone(timezone: str) -> str:
    """Return *timezone*, or UTC when it is none our system knows."""
    return timezone if timezone in timezones() else "UTC"


def local(at: datetime, timezone: str) -> datetime:
    """Return an instant with the offset it has in *timezone*, a usable one."""
    return at.astimezone(UTC if timezone == "UTC" else zone(timezone))


def instant(at: datetime, timezone: str) -> str:
    """Return an instant to the minute, in *timezone*, which is named."""
    there = local(at, timezone)
    name = "UTC" if timezone == "UTC" else f"({timezone} time)"
    return f"{day(there.date())} at {there:%H:%M} {name}"


def moment(at: datetime, timezone: str) -> str:
    """Return an instant: its day, and the hour when it is not a day's beginning."""
    there = local(at, timezone).date()
    return day(there) if starts_at(there, timezone) == at else instant(at, timezone)


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a number and what it counts; *nouns* when they are no plain plural."""
    return f"{number} {_named(number, noun, nouns)}"


def many(number: int, noun: str, nouns: str | None = None) -> str:
    """Return as `plural` does a number that may be large: with its thousands."""
    return f"{number:,} {_named(number, noun, nouns)}"


def _named(number: int, noun: str, nouns: str | None) -> str:
    if number == 1:
        return noun
    return nouns or f"{noun}s"


def signed(amount: int) -> str:
    """Return an amount with its sign."""
    return f"{amount:+d}".replace("-", "−") if amount else "0"


def age(waited: timedelta) -> str:
    """Return how long something waited, in the largest unit that fits."""
    minutes = int(waited.total_seconds()) // 60
    for size, unit in ((60 * 24, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return plural(minutes // size, unit)
    return "less than a minute"


def listed(parts: Sequence[str]) -> str:
    """Return *parts* as a list in words."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def ordinal(number: int) -> str:
    """Return the ordinal of a day of the month."""
    if 10 < number < 14:
        return f"{number}th"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def plan_name(code: str) -> str:
    """Return a plan's code as a name: "plus" is "Plus"."""
    return capitalised(shown(code))


def capitalised(text: str) -> str:
    """Return *text* with its first letter as at the beginning of a sentence."""
    return text[:1].upper() + text[1:]


LONGEST = 64
"""Characters of the longest name; what is longer was never a name of ours."""


def escape(text: str) -> str:
    """Return *text* with its control characters shown, as in a Python string."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def shown(text: str) -> str:
    """Return what somebody named, in one line that is not too long to be read."""
    line = escape(text)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
