"""
Generates members as a marketplace would have them.

`python -m tests.bench.generate 300000 > members.csv`
"""

import random
import sys
from collections.abc import Iterator
from datetime import date, timedelta

from tests.support import HEADER

ZONES = [
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles",
    "America/Sao_Paulo", "America/Santiago", "America/Havana", "America/St_Johns",
    "Atlantic/Azores", "Africa/Cairo", "Africa/Lagos", "Asia/Beirut", "Asia/Kolkata",
    "Asia/Kathmandu", "Asia/Manila", "Asia/Tokyo", "Australia/Sydney", "Pacific/Apia",
    "Pacific/Auckland",
]  # fmt: skip
STATUSES = ["active"] * 48 + ["suspended", "under_review"]


def generate(count: int, prefix: str = "m") -> Iterator[str]:
    """
    Yield the lines of a CSV file; ids begin with *prefix*.

    Anchors lie in the 15 years to 2025, in 20 zones; the three plans are those of
    preset upwork-2016.
    """
    chance = random.Random(20160519)
    yield HEADER
    for number in range(count):
        anchor_on = date(2011, 1, 1) + timedelta(days=chance.randrange(15 * 365))
        plan = chance.choice(("basic", "plus", "agency-plus"))
        balance = chance.choice((0, 0, 5, 30, 200))
        zone, status = chance.choice(ZONES), chance.choice(STATUSES)
        yield f"{prefix}{number},{plan},{anchor_on},{zone},{status},{balance}"


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in generate(int(sys.argv[1])))
