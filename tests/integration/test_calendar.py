"""Two implementations of the calendar, Python's and PostgreSQL's, compared."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from renewer.rules.calendar import Calendar, timezones
from renewer.store.connection import Database

PAIRS = 5000

BOUNDARY = """
    SELECT (a.anchor_on + make_interval(months => a.n))::date AS first_day,
           (a.anchor_on + make_interval(months => a.n)) AT TIME ZONE a.timezone
               AS starts_at
    FROM unnest(%(anchors)s::date[], %(numbers)s::integer[], %(zones)s::text[])
        WITH ORDINALITY AS a (anchor_on, n, timezone, place)
    ORDER BY a.place
"""


def test_python_and_postgresql_agree_on_boundaries(conn: Database) -> None:
    """
    First days always agree.

    So do instants, where midnight exists once or begins the jump over it.
    """
    chance = random.Random(20160519)
    names = [
        row["name"]
        for row in conn.execute("SELECT name FROM pg_timezone_names ORDER BY name")
    ]
    zones = sorted(set(names) & timezones())
    assert len(zones) > 300
    drawn = [
        (
            date(1975, 1, 1) + timedelta(days=chance.randrange(20000)),
            chance.randrange(240),
            chance.choice(zones),
        )
        for _ in range(PAIRS)
    ]
    anchors, numbers, named = zip(*drawn, strict=True)
    rows = conn.execute(
        BOUNDARY,
        {"anchors": list(anchors), "numbers": list(numbers), "zones": list(named)},
    )
    differences = []
    for (anchor, n, timezone), row in zip(drawn, rows, strict=True):
        assert Calendar(anchor, "UTC").first_day(n) == row["first_day"]
        ours, theirs = (
            Calendar(anchor, timezone).boundary(n),
            row["starts_at"].astimezone(UTC),
        )
        if ours != theirs and not _midnight_is_odd(row["first_day"], timezone):
            differences.append((anchor, n, timezone, ours, theirs))
    # The two read zone databases of their own, which differ where one is newer: in a
    # handful of zones, for the future.
    assert len(differences) <= PAIRS // 200, differences


def _midnight_is_odd(day: date, timezone: str) -> bool:
    """
    Whether midnight exists twice (PostgreSQL takes the second) or is jumped over from
    before it.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone))
    return midnight.utcoffset() != midnight.replace(fold=1).utcoffset()
