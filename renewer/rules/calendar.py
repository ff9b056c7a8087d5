"""The calendar of a member: cycles and boundaries from an anchor and a time zone."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from dateutil.relativedelta import relativedelta

from renewer.errors import InputError
from renewer.rules.value import value

FIRST_ANCHOR = date(1900, 1, 1)
LAST_DAY = date(9000, 1, 1)
"""
Limits of the calendar: before the first no zone is reliable.

The last, which is outside, leaves room before the year 9999, where `datetime` ends.
"""

# Names in the zone database that are no place: they change with the machine or mean
# "unset".
NOT_A_PLACE = {"localtime", "Factory", "posixrules"}

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
DATE = re.compile(r"\d{4}-\d\d-\d\d")
DURATION = re.compile(r"([1-9]\d{0,5})([smhd])", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=366)
"""How long a link may live, and how far ahead is told what expires."""


@value
class Cycle:
    """
    Cycle *n* of an anchor: its two inclusive days and the instant its first day begins.
    """

    n: int
    first_day: date
    last_day: date
    starts_at: datetime


@cache
def timezones() -> frozenset[str]:
    """Return the IANA names a member's time zone may have."""
    return frozenset(available_timezones() - NOT_A_PLACE)


@lru_cache(maxsize=1024)
def zone(timezone: str) -> ZoneInfo:
    """
    Return the zone of an IANA name; InputError names the way out when there is none.
    """
    if timezone not in timezones():
        raise InputError(
            f"unknown time zone {timezone!r}: use an IANA name such as "
            "Europe/Berlin or UTC",
            timezone=timezone,
        )
    return ZoneInfo(timezone)


@value
class Calendar:
    """
    A member's cycles, counted from the local day *anchor_on* in *timezone*.

    Cycle n begins n months after the anchor. Months are counted from the anchor, never
    from the previous cycle, so a day that is clamped to the end of a short month comes
    back in the next long one: Jan 31, Feb 28, Mar 31.
    """

    anchor_on: date
    timezone: str

    def first_day(self, n: int) -> date:
        """Return the first day of cycle *n*."""
        return _add_months(self.anchor_on, n)

    def last_day(self, n: int) -> date:
        """Return the last day of cycle *n*: the day before the next cycle's first."""
        return self.first_day(n + 1) - DAY

    def boundary(self, n: int) -> datetime:
        """Return the instant at which cycle *n* starts, in UTC."""
        return starts_at(self.first_day(n), self.timezone)

    def number_at(self, at: datetime) -> int:
        """Return the number of the cycle at *at*; negative before the anchor."""
        n = self.number_on(local_day(at, self.timezone)) + 1
        # By boundaries: after a midnight that exists twice the local day is the old one
        # again for an hour.
        while self.boundary(n) > at:
            n -= 1
        return n

    def number_on(self, day: date) -> int:
        """Return the number of the cycle that contains the local *day*."""
        anchor_on = self.anchor_on
        n = (day.year - anchor_on.year) * 12 + day.month - anchor_on.month + 1
        while self.first_day(n) > day:
            n -= 1
        return n

    def cycle(self, n: int) -> Cycle:
        """Return cycle *n*."""
        return Cycle(n, self.first_day(n), self.last_day(n), self.boundary(n))


@lru_cache(maxsize=65536)
def _add_months(anchor_on: date, months: int) -> date:
    """Return the day *months* after *anchor_on*; InputError outside the calendar."""
    try:
        day = anchor_on + relativedelta(months=months)
    except (OverflowError, ValueError):
        day = LAST_DAY
    if not anchor_on >= FIRST_ANCHOR or day >= LAST_DAY:
        raise InputError(
            f"cycle {months} of anchor {anchor_on} is outside the calendar: "
            f"use anchors from {FIRST_ANCHOR} and cycles before {LAST_DAY.year}"
        )
    return day


def local_day(at: datetime, timezone: str) -> date:
    """Return the day of *at* in *timezone*."""
    return at.astimezone(zone(timezone)).date()


@lru_cache(maxsize=65536)
def starts_at(day: date, timezone: str) -> datetime:
    """
    Return the first instant of *day* in *timezone*, in UTC.

    A midnight that exists twice is the first of the two. One that does not exist (the
    clocks jump over it) is the instant of the jump: the first that does.
    """
    local = zone(timezone)
    # fold=0: of a midnight that exists twice, the first.
    midnight = datetime.combine(day, time(), local)
    at = midnight.astimezone(UTC)
    if at.astimezone(local).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return at
    return _jump_over(midnight, at)


def _jump_over(midnight: datetime, at: datetime) -> datetime:
    """
    Return the instant at which the clocks jump over *midnight*.

    *at* is that midnight by the clocks before. Most jumps start at midnight and *at* is
    the instant already; some (Toronto 1919) start before it.
    """
    before = midnight.utcoffset()
    after = at.astimezone(midnight.tzinfo).utcoffset()
    assert before is not None
    assert after is not None
    # The clocks have not jumped at low; at high they have.
    low, high = at - (after - before), at
    while high - low > SECOND:
        middle = low + ((high - low) // 2 // SECOND) * SECOND
        if middle.astimezone(midnight.tzinfo).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def read_date(name: str, text: str) -> date:
    """
    Return the day *text* names.

    InputError for any other form than YYYY-MM-DD and for days that never were.
    """
    try:
        return date.fromisoformat(text if DATE.fullmatch(text) else "")
    except ValueError as error:
        raise InputError(f"{name} {text!r} is not a date: use YYYY-MM-DD") from error


def read_duration(name: str, text: str) -> timedelta:
    """
    Return the duration *text* names: an integer and s, m, h or d.

    InputError for any other form, and above LONGEST.
    """
    found = DURATION.fullmatch(text)
    if found is None:
        raise InputError(
            f"{name} {text!r} is no duration: give one like 15m, 24h or 7d"
        )
    span = timedelta(**{UNITS[found[2]]: int(found[1])})
    if span > LONGEST:
        raise InputError(f"{name} {text!r} is too long: {LONGEST.days}d is the most")
    return span
