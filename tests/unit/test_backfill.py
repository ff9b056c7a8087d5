"""What a backfill plans for one member."""

from datetime import date, datetime

import pytest

from renewer.rules.backfill import Backfill, plan_backfill
from renewer.rules.calendar import Calendar
from renewer.rules.cycle_history import Award, record_award
from renewer.rules.ledger import CycleKey, Lot, Reason, Source
from renewer.rules.plans import Plans, Revision
from renewer.rules.posting import Posting
from tests.support import EPOCH, PLANS, member, utc

APRIL_19 = date(2016, 4, 19)
NOW = "2016-06-01T10:00"
YEAR = date(2016, 1, 1), date(2016, 12, 31)


def award(
    first_day: str, amount: int = 0, *, plan: str = "basic", **more: object
) -> Award:
    """Return a renewal on record."""
    day, at = date.fromisoformat(first_day), utc(first_day)
    last_day = Calendar(day, "UTC").last_day(0)
    key = CycleKey(day, last_day, APRIL_19, 1, plan)
    return Award(
        key, amount, more.get("reason", Reason.CAUGHT_UP), more.get("late"), at
    )  # type: ignore[arg-type]


def posted(posting: Posting) -> list[tuple[str, int, datetime]]:
    return [
        (entry.kind.value, entry.amount, entry.occurred_at) for entry in posting.entries
    ]


def repaired(*awards: Award, as_of: str = NOW, **more: object) -> Posting:
    """
    Return what a backfill plans for a Basic member with 5 unused, in the cycle of 19
    May.
    """
    held = member(
        "basic",
        "2016-04-19",
        "2016-05-25",
        unused=[(Source.ALLOWANCE, 5)],
        allowance_lot=1,
    )
    repair = Backfill(*YEAR, **more)  # type: ignore[arg-type]
    return plan_backfill(held, PLANS, awards, repair, utc(as_of))


def test_what_is_owed_goes_into_one_lot_that_ends_with_the_cycle() -> None:
    """Whatever cycles it is owed for; it is the newest allowance lot from then on."""
    posting = repaired(award("2016-04-19"), award("2016-05-19", 50, reason=None))
    assert posted(posting) == [
        ("late_renewal", 60, utc(NOW)),
        ("late_renewal", 10, utc(NOW)),
    ]
    (lot,) = posting.new_lots
    assert lot == Lot(lot.number, Source.ALLOWANCE, 70, utc(NOW), None)
    assert posting.after.allowance_lot == lot.number


@pytest.mark.parametrize(
    ("as_of", "ends_on"), [(NOW, "2017-05-19"), ("2016-09-25", "2017-09-19")]
)
def test_a_lifetime_counts_from_the_cycle_of_today(as_of: str, ends_on: str) -> None:
    """Of one who is behind as well: not from the cycle the ledger has reached."""
    held = member("lifetime", "2016-04-19", "2016-05-25")
    repair = Backfill(date(2016, 4, 19), date(2016, 5, 19))
    posting = plan_backfill(
        held, PLANS, [award("2016-05-19", plan="lifetime")], repair, utc(as_of)
    )
    assert [lot.expires_at for lot in posting.new_lots] == [utc(ends_on)]


def test_a_late_renewal_names_the_cycle_it_is_for() -> None:
    """As the renewal it makes up for does; the reason is the operator's."""
    posting = repaired(award("2016-05-19", plan="plus"), reason="ticket 7")
    (entry,) = posting.entries
    assert (
        entry.first_day,
        entry.anchor_on,
        entry.cycle_n,
        entry.plan,
        entry.amount,
        entry.reason,
    ) == (
        date(2016, 5, 19),
        APRIL_19,
        1,
        "plus",
        70,
        "ticket 7",
    )


@pytest.mark.parametrize(
    "given",
    [
        award("2016-05-19", 60, reason=None),
        award("2016-05-19", 80, reason=None),
        award("2016-05-19", late=1),
        award("2016-05-19", reason=Reason.PLAN_CHANGED),
        award("2016-05-19", reason=Reason.SUSPENDED),
    ],
)
def test_nothing_is_owed(given: Award) -> None:
    """Awarded in full or more, made up for once, a change of plan, suspended."""
    assert repaired(given).entries == ()


def test_a_suspension_is_owed_when_the_member_is_named() -> None:
    """A person says that it was a mistake."""
    given = award("2016-05-19", reason=Reason.SUSPENDED)
    assert posted(repaired(given, named=True)) == [("late_renewal", 60, utc(NOW))]


def test_a_plan_limits_boundaries_never_posted_too() -> None:
    """Those of the plan the member has."""
    assert repaired(as_of="2016-06-25", plan="plus").entries == ()
    assert [
        kind for kind, _, _ in posted(repaired(as_of="2016-06-25", plan="basic"))
    ] == ["expiry", "renewal"]


def test_what_a_cycle_should_have_brought_is_by_the_rules_on_record_now() -> None:
    """None where there are none; a plan without Connects owes none and says so."""
    plans = Plans(
        [
            Revision("basic", EPOCH, 60, 0),
            Revision("free", EPOCH, 0, 0),
            Revision("new", date(2020, 1, 1), 9, 0),
        ]
    )
    given = [
        award("2016-05-19", 50, reason=None),
        award("2016-06-19", 0, plan="free", reason=None),
        award("2016-07-19", 5, plan="new", reason=None),
        award("2016-08-19", 0, late=60),
        award("2016-09-19", 7, reason=Reason.PLAN_CHANGED),
    ]
    assert [
        (past.expected, past.awarded, past.shortfall, past.late)
        for past in (record_award(award, plans) for award in given)
    ] == [
        (60, 50, "rules_corrected", 0),
        (0, 0, "no_allowance", 0),
        (None, 5, None, 0),
        (60, 60, None, 60),
        (7, 7, "plan_changed", 0),
    ]
