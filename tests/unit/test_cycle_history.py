"""What an auditor is told of a range of cycles, from hand-made ledgers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from renewer.rules.calendar import Calendar
from renewer.rules.cycle_history import Award, cycle_history
from renewer.rules.ledger import CycleKey, Member, Status
from tests.support import PLANS, utc

ANCHOR = date(2016, 1, 31)
DAYS = [date(2016, 2, 29), date(2016, 3, 31), date(2016, 4, 30), date(2016, 5, 31)]
POSTED = utc("2016-06-01T00:00")


def cycle(anchor_on: date, n: int, plan: str = "basic") -> CycleKey:
    """Return cycle *n* of an anchor."""
    calendar = Calendar(anchor_on, "UTC")
    return CycleKey(calendar.first_day(n), calendar.last_day(n), anchor_on, n, plan)


def award(n: int, amount: int = 60, **more: object) -> Award:
    """Return the renewal of cycle *n* of ANCHOR under plan basic, which gives 60."""
    plain = Award(cycle(ANCHOR, n), amount, None, None, POSTED, allowed=(60,), run_id=7)
    return replace(plain, **more)


Audited = tuple[Member, Sequence[Award]]


def member(*awards: Award, **more: object) -> Audited:
    """Return a member whose ledger begins with cycle 1 and has reached cycle 4."""
    reached = cycle(ANCHOR, 4)
    plain = Member(
        "m",
        0,
        "basic",
        ANCHOR,
        "UTC",
        Status.ACTIVE,
        0,
        4,
        utc("2016-06-30T00:00"),
        cycle_first_day=reached.first_day,
        cycle_last_day=reached.last_day,
        first_boundary_on=DAYS[0],
    )
    return replace(plain, **more), awards


def told(
    audited: Audited, start: date = DAYS[0], end: date = DAYS[3], as_of: str = "06-01"
) -> list[tuple[date, int | None, int | None, str | None, str | None]]:
    """Return first day, expected, awarded, reason and flaw of each cycle."""
    at = utc(f"2016-{as_of}T00:00")
    return [
        (each.first_day, each.expected, each.awarded, each.reason, each.flaw)
        for each in cycle_history(*audited, PLANS, start, end, at)
    ]


ALL = [award(n) for n in (1, 2, 3, 4)]


def test_a_ledger_in_order_has_no_flaw() -> None:
    """One row a cycle of the range, oldest first."""
    plain = [(day, 60, 60, None, None) for day in DAYS]
    assert told(member(*ALL)) == plain
    assert told(member(*ALL), DAYS[1], DAYS[2]) == plain[1:3]


@pytest.mark.parametrize("gone", [0, 1, 2, 3])
def test_a_cycle_without_an_award_is_missing(gone: int) -> None:
    """The first, one between two, and the last."""
    awards = [each for each in ALL if each is not ALL[gone]]
    rows = [(day, 60, 60, None, None) for day in DAYS]
    rows[gone] = (DAYS[gone], 60, None, None, "missing")
    assert told(member(*awards)) == rows


def test_a_member_without_any_award_misses_all() -> None:
    """From the first boundary to the cycle the ledger says it has reached."""
    assert told(member()) == [(day, 60, None, None, "missing") for day in DAYS]


def test_a_cycle_awarded_twice_is_double() -> None:
    """Only a database without its key can hold it."""
    rows = told(member(ALL[0], ALL[1], ALL[1], ALL[2], ALL[3]), DAYS[1], DAYS[1])
    assert [row[-1] for row in rows] == [None, "double"]


@pytest.mark.parametrize(
    ("changed", "row"),
    [
        ({"amount": 0, "reason": "suspended"}, (60, 0, "suspended", None)),
        (
            {"amount": 0, "reason": "caught_up", "late": 60},
            (60, 60, "caught_up", None),
        ),
        ({"amount": 50, "allowed": (50,)}, (60, 50, "rules_corrected", None)),
        ({"amount": 70, "allowed": (70,)}, (60, 70, "rules_corrected", None)),
        ({"amount": 23, "reason": "plan_changed"}, (23, 23, "plan_changed", None)),
        ({"amount": 10}, (60, 10, None, "unexplained")),
        ({"amount": 110}, (60, 110, None, "unexplained")),
        (
            {"amount": 110, "reason": "suspended"},
            (60, 110, "suspended", "unexplained"),
        ),
    ],
)
def test_what_differs_has_a_reason_or_is_a_flaw(
    changed: dict[str, object], row: tuple[object, ...]
) -> None:
    """By the entry, or by rules that were others when it was posted."""
    awards = [ALL[0], award(2, **changed), ALL[2], ALL[3]]  # type: ignore[arg-type]
    assert told(member(*awards), DAYS[1], DAYS[1]) == [(DAYS[1], *row)]


@pytest.mark.parametrize(
    ("status", "tail"),
    [
        (Status.ACTIVE, [(date(2016, 6, 30), 60, None, None, "missing")]),
        (
            Status.UNDER_REVIEW,
            [(date(2016, 6, 30), 60, None, "under_review", None)],
        ),
        (Status.CLOSED, []),
    ],
)
def test_a_boundary_that_has_come_and_is_not_posted(
    status: Status, tail: list[object]
) -> None:
    """Is missing, or held back by a review, or comes never."""
    audited = member(*ALL, status=status)
    assert told(audited, DAYS[3], date(2016, 7, 1), "07-01")[1:] == tail
    assert told(audited, DAYS[3], date(2016, 7, 1), "06-29")[1:] == []


def test_a_range_ends_with_its_last_day() -> None:
    """Of a ledger that has fallen behind for months, too: first days count."""
    audited = member(*ALL)
    missing = [
        (date(2016, 6, 30), 60, None, None, "missing"),
        (date(2016, 7, 31), 60, None, None, "missing"),
    ]
    start = date(2016, 6, 1)
    for end, rows in (
        (date(2016, 6, 29), []),
        (date(2016, 6, 30), missing[:1]),
        (date(2016, 7, 30), missing[:1]),
        (date(2016, 7, 31), missing),
    ):
        assert told(audited, start, end, "12-01") == rows


def test_a_change_of_plan_begins_a_new_series() -> None:
    """The cycle it cuts short is followed by that of its day."""
    changed_on = date(2016, 4, 10)
    new = [cycle(changed_on, 0, "plus"), cycle(changed_on, 1, "plus")]
    awards = [
        ALL[0],
        ALL[1],
        award(3, 41, cycle=new[0], reason="plan_changed"),
        award(3, 70, cycle=new[1], allowed=(70,)),
    ]
    reached = {
        "anchor_on": changed_on,
        "cycle_n": 1,
        "cycle_first_day": new[1].first_day,
        "cycle_last_day": new[1].last_day,
        "plan": "plus",
    }
    audited = member(*awards, **reached, renews_at=utc("2016-06-10T00:00"))
    assert [row[-1] for row in told(audited)] == [None] * 4
    assert [row[0] for row in told(audited)] == [
        DAYS[0],
        DAYS[1],
        changed_on,
        date(2016, 5, 10),
    ]
