"""Days, instants and numbers as a person writes them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from renewer.rules.cycle import zone


def day(on: date) -> str:
    """Return a day for a person."""
    return f"{on.day} {on:%B} {on.year}"


def days(first: date, last: date) -> str:
    """Return two inclusive days for a person, what they share said once."""
    if first.year != last.year:
        return f"{day(first)} to {day(last)}"
    return f"{first.day} {first:%B} to {day(last)}"


def instant(at: datetime, timezone: str) -> str:
    """Return an instant for a person, in their zone, which is named."""
    local = at.astimezone(UTC if timezone == "UTC" else zone(timezone))
    return f"{day(local.date())} at {local:%H:%M}" + (" UTC" if timezone == "UTC" else f" ({timezone} time)")


def plural(number: int, noun: str) -> str:
    """Return a number and what it counts."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def connects(number: int) -> str:
    """Return a number of Connects."""
    return f"{number} Connect{'' if number == 1 else 's'}"


def age(waited: timedelta) -> str:
    """Return how long something waited, in the largest unit that fits."""
    minutes = int(waited.total_seconds()) // 60
    for size, unit in ((60 * 24, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            return plural(minutes // size, unit)
    return "less than a minute"


def listed(parts: Sequence[str]) -> str:
    """Return *parts* as a list in words."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def ordinal(number: int) -> str:
    """Return the ordinal of a day of the month."""
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


LONGEST = 40


def clipped(text: str) -> str:
    """Return free text in one line that is not too long to be read."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def before(on: date) -> date:
    """Return the day before."""
    return on - timedelta(days=1)
