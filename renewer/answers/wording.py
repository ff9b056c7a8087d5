"""
How things are said to a person: days, instants, numbers, reasons, names.

The one place where words are put together for what several answers say.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from renewer.rules.calendar import starts_at, timezones, zone
from renewer.rules.cycle_history import UNDER_REVIEW, Flaw, Shortfall
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

    def fill_in(self, words: str) -> str:
        """Return the *words* of a line of the view `statement` with this word."""
        return capitalised(words.format(credits=self.plural))


CONNECTS = Word()


@value
class ReasonInWords:
    """
    A reason in words.

    *name* stands in a table of the command line, *cell* in one of a page. *before* and
    *ahead* follow "because" in a sentence about Connects: of a cycle that has begun,
    and of one to come. *is_too_little*: the member got less than the plan promised.
    """

    name: str
    cell: str = ""
    before: str = ""
    ahead: str = ""
    is_too_little: bool = False


REASONS: Mapping[str, ReasonInWords] = {
    Reason.SUSPENDED: ReasonInWords(
        "suspended",
        "The account was suspended",
        "your account was suspended then",
        "your account is suspended",
        is_too_little=True,
    ),
    Reason.CAUGHT_UP: ReasonInWords(
        "caught up",
        "Missed and not made up for",
        "they were missed and not made up for",
        "only the latest cycle counts",
        is_too_little=True,
    ),
    Reason.PLAN_CHANGED: ReasonInWords(
        "plan changed",
        "Change of plan",
        "you had received them before your change of plan",
        "you have received them before your change of plan",
    ),
    Shortfall.NO_ALLOWANCE: ReasonInWords(
        "no allowance",
        "The plan included none",
        "the plan included none",
        "the plan includes none",
    ),
    Shortfall.RULES_CORRECTED: ReasonInWords(
        "rules corrected",
        "The plan's rules were corrected later",
        "the plan's rules were corrected later",
        "the plan's rules were corrected",
        is_too_little=True,
    ),
    # Status codes of a member whose cycle has begun and is not posted yet.
    "waiting_for_pass": ReasonInWords("waiting for pass", "On its way"),
    UNDER_REVIEW: ReasonInWords("under review", "Waits for the end of the review"),
    "failed": ReasonInWords("failed", "Our side has to mend something first"),
    Flaw.MISSING: ReasonInWords("never awarded"),
    Flaw.DOUBLE: ReasonInWords("awarded twice"),
    Flaw.UNEXPLAINED: ReasonInWords("differs without a reason"),
}
"""
Why a cycle brought nothing, or not what it should; a flaw has no reason that explains
it. Lines of a statement have their words in table `renewer.entry_reason`.
"""


def reason_in_words(reason: str | None) -> ReasonInWords:
    """Return *reason* in words; an award of 0 without a reason has a plan of 0."""
    return REASONS[reason or Shortfall.NO_ALLOWANCE]


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


def day_at(at: datetime, timezone: str) -> str:
    """Return the day of an instant in *timezone*."""
    return day(local(at, timezone).date())


def instant(at: datetime, timezone: str) -> str:
    """Return an instant to the minute, in *timezone*, which is named."""
    there = local(at, timezone)
    name = "UTC"
    if timezone != "UTC":
        name = f"({timezone} time)"
    return f"{day_at(at, timezone)} at {there:%H:%M} {name}"


def moment(at: datetime, timezone: str) -> str:
    """Return an instant: its day, and the hour when it is not a day's beginning."""
    there = local(at, timezone).date()
    return day(there) if starts_at(there, timezone) == at else instant(at, timezone)


def line_time(at: datetime, timezone: str) -> str:
    """
    Return when a line of a statement occurred: its day, and the hour if it began none.

    The zone is named once, beside the lines.
    """
    there, on = local(at, timezone), day_at(at, timezone)
    is_start = starts_at(there.date(), timezone) == at
    return on if is_start else f"{on}, {there:%H:%M}"


def kept(cap: int | None, nothing: str) -> str:
    """Return how many unused credits a rollover cap keeps; *nothing* says "none"."""
    if cap is None:
        return "all"
    return f"up to {cap}" if cap else nothing


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
