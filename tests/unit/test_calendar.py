"""The calendar: cycles, last days and boundaries."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renewer.errors import InputError
from renewer.rules.calendar import Calendar, starts_at, timezones, zone

anchors = st.dates(date(1950, 1, 1), date(2100, 12, 31))
zones = st.sampled_from(sorted(timezones()))
numbers = st.integers(0, 600)


@given(anchor=anchors, n=numbers, timezone=zones)
def test_cycles_tile_time_and_keep_the_anchor_day(
    anchor: date, n: int, timezone: str
) -> None:
    """
    Consecutive cycles leave no gap and no overlap.

    Each starts on the anchor's day or the month's last.
    """
    calendar = Calendar(anchor, timezone)
    one, two = calendar.cycle(n), calendar.cycle(n + 1)
    assert one.last_day + timedelta(days=1) == two.first_day
    assert one.starts_at < two.starts_at
    month_end = (two.first_day + timedelta(days=1)).month != two.first_day.month
    assert two.first_day.day == anchor.day or (
        month_end and two.first_day.day < anchor.day
    )


@given(day=st.dates(date(1900, 1, 2), date(2150, 1, 1)), timezone=zones)
def test_a_day_starts_at_its_first_instant(day: date, timezone: str) -> None:
    """
    When a day starts the clocks show it or, over a jump, a later one.

    A second before, an earlier one.
    """
    at = starts_at(day, timezone)
    zone = ZoneInfo(timezone)
    assert at.astimezone(zone).date() >= day
    assert (at - timedelta(seconds=1)).astimezone(zone).date() < day


@given(anchor=anchors, n=numbers, timezone=zones, offset=st.integers(0, 27 * 86400))
def test_an_instant_lies_in_the_cycle_that_contains_it(
    anchor: date, n: int, timezone: str, offset: int
) -> None:
    """
    The number of a cycle is found from its first instant and from any other before the
    next.
    """
    at = Calendar(anchor, timezone).boundary(n) + timedelta(seconds=offset)
    assert Calendar(anchor, timezone).number_at(at) == n
    assert (
        Calendar(anchor, timezone).number_at(
            Calendar(anchor, timezone).boundary(n + 1) - timedelta(seconds=1)
        )
        == n
    )


def test_the_end_of_january_comes_back_after_february() -> None:
    """Day 31 is clamped to a short month's end and never drifts."""
    days = [Calendar(date(2015, 1, 31), "UTC").first_day(n) for n in (1, 2, 3, 13, 14)]
    assert days == [
        date(2015, 2, 28),
        date(2015, 3, 31),
        date(2015, 4, 30),
        date(2016, 2, 29),
        date(2016, 3, 31),
    ]


def test_a_leap_day_comes_back_in_leap_years() -> None:
    """February 29 is the 28th in common years and itself again after four."""
    days = [
        Calendar(date(2016, 2, 29), "UTC").first_day(12 * years)
        for years in (1, 2, 3, 4)
    ]
    assert days == [
        date(2017, 2, 28),
        date(2018, 2, 28),
        date(2019, 2, 28),
        date(2020, 2, 29),
    ]


def test_the_last_day_of_december_fourth_is_awarded_on_the_fifth() -> None:
    """
    The thread's member: their cycle ends with December 4, 2018 and the next begins on
    the 5th.
    """
    found = Calendar(date(2018, 11, 5), "UTC").cycle(0)
    assert found.last_day == date(2018, 12, 4)
    assert Calendar(date(2018, 11, 5), "UTC").boundary(1) == datetime(
        2018, 12, 5, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("timezone", "day", "expected"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00"),  # 00:00 to 01:00
        ("Africa/Cairo", date(2024, 4, 26), "2024-04-25T22:00"),  # 00:00 to 01:00
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T04:30"),  # 23:30 to 00:30
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00"),  # the day never was
        ("America/Havana", date(2016, 11, 6), "2016-11-06T04:00"),  # twice: the first
        ("Atlantic/Azores", date(2016, 10, 30), "2016-10-30T00:00"),  # twice: the first
    ],
)
def test_odd_midnights(timezone: str, day: date, expected: str) -> None:
    """
    A midnight that does not exist is the first instant that does.

    One that exists twice, the first of the two.
    """
    assert starts_at(day, timezone) == datetime.fromisoformat(expected).replace(
        tzinfo=UTC
    )


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Olympus",
        "",
        "localtime",
        "Factory",
        "../etc/passwd",
        "europe/berlin",
        "UTC\x00",
    ],
)
def test_a_zone_that_is_no_place_is_refused(name: str) -> None:
    """The error names the zone and the way out."""
    with pytest.raises(InputError, match="use an IANA name"):
        zone(name)


@pytest.mark.parametrize(
    ("anchor", "n"),
    [(date(1, 1, 1), 0), (date(2016, 1, 1), 10**6), (date(9999, 12, 31), 1)],
)
def test_the_calendar_has_limits(anchor: date, n: int) -> None:
    """Outside them is an error, never an overflow."""
    with pytest.raises(InputError, match="outside the calendar"):
        Calendar(anchor, "UTC").first_day(n)
