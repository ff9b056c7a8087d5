"""The rules of a boundary, an expiry and of time passing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renewer.errors import PlanError
from renewer.rules.calendar import Calendar, starts_at
from renewer.rules.ledger import CatchUp, Kind, Lot, Member, Source, Status
from renewer.rules.plans import Plans, Revision
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Boundary, Posting
from tests.support import BASIC, EPOCH, PLANS, PLUS, member, utc

ALLOWANCE, ROLLOVER, REFUND, PURCHASE, BONUS = (
    Source.ALLOWANCE,
    Source.ROLLOVER,
    Source.REFUND,
    Source.PURCHASE,
    Source.BONUS,
)
BOUNDARY = "2016-05-19T00:00"


def posted(posting: Posting) -> list[tuple[str, int, int]]:
    return [
        (entry.kind.value, entry.amount, entry.balance_after)
        for entry in posting.entries
    ]


def at_boundary(
    plan: str, unused: Sequence[tuple[Source, int]], **more: object
) -> Posting:
    held = member(plan, "2016-04-19", "2016-05-01", unused=unused, **more)
    return plan_posting(held, PLANS, utc(BOUNDARY))


def test_basic_with_two_left_expires_two_and_awards_sixty() -> None:
    """The worked example of the rules: nothing carries."""
    assert posted(at_boundary("basic", [(ALLOWANCE, 2)])) == [
        ("expiry", -2, 0),
        ("renewal", 60, 60),
    ]


def test_plus_with_thirty_left_rolls_them_over() -> None:
    """
    Worked example: the pair moves 30 into a lot of its own before the new allowance is
    added.
    """
    posting = at_boundary("plus", [(ALLOWANCE, 30)])
    assert posted(posting) == [
        ("rollover", -30, 0),
        ("rollover", 30, 30),
        ("renewal", 70, 100),
    ]
    assert [(lot.source, lot.remaining) for lot in posting.new_lots] == [
        (ROLLOVER, 30),
        (ALLOWANCE, 70),
    ]


def test_the_cap_counts_before_the_new_allowance() -> None:
    """
    Worked example: of 200 unused 60 expire, oldest first, and the balance becomes 210.
    """
    posting = at_boundary("plus", [(ROLLOVER, 130), (ALLOWANCE, 70)])
    assert posted(posting) == [
        ("expiry", -60, 140),
        ("rollover", -70, 70),
        ("rollover", 70, 140),
        ("renewal", 70, 210),
    ]
    assert posting.entries[0].lot == 1
    assert [(lot.number, lot.remaining) for lot in posting.changed_lots] == [
        (1, 70),
        (2, 0),
    ]


def test_nothing_happens_before_the_boundary() -> None:
    """
    A second before the boundary there is nothing to post, and the member stays due at
    it.
    """
    held = member("basic", "2016-04-19", "2016-05-01", unused=[(ALLOWANCE, 2)])
    posting = plan_posting(held, PLANS, utc("2016-05-18T23:59:59"))
    assert posting.entries == ()
    assert posting.after == held


def test_bought_connects_outlive_every_cycle() -> None:
    """Purchased and bonus lots are neither expired nor rolled over by a boundary."""
    posting = at_boundary("basic", [(ALLOWANCE, 5), (PURCHASE, 20), (BONUS, 3)])
    assert posted(posting) == [("expiry", -5, 23), ("renewal", 60, 83)]
    assert [(lot.number, lot.remaining) for lot in posting.changed_lots] == [(1, 0)]


def test_a_lot_issued_at_the_boundary_is_not_touched_by_it() -> None:
    """What came at the boundary or later belongs to the cycle that begins."""
    held = member(
        "basic", "2016-04-19", "2016-05-01", unused=[(REFUND, 4), (REFUND, 6)]
    )
    late = replace(held.lots[1], issued_at=utc(BOUNDARY))
    posting = plan_posting(
        replace(held, lots=(held.lots[0], late)), PLANS, utc("2016-05-19T01:00")
    )
    assert posted(posting) == [("expiry", -4, 6), ("renewal", 60, 66)]


def test_a_lot_that_lapses_at_the_boundary_does_not_roll_over() -> None:
    """At one instant the expiry comes first, with a reason of its own."""
    held = member("plus", "2016-04-19", "2016-05-01", unused=[(ALLOWANCE, 30)])
    lapsing = replace(held.lots[0], expires_at=utc(BOUNDARY))
    posting = plan_posting(replace(held, lots=(lapsing,)), PLANS, utc(BOUNDARY))
    assert posted(posting) == [("expiry", -30, 0), ("renewal", 70, 70)]
    assert posting.entries[0].reason == "lapsed"


def test_a_bought_lot_lapses_at_its_own_time() -> None:
    """
    Its expiry is dated at its end, wherever in the cycle that falls, and makes the
    member due.
    """
    held = member("basic", "2016-04-19", "2016-05-01", unused=[(PURCHASE, 20)])
    ends_at = utc("2016-05-07T13:45")
    held = replace(held, lots=(replace(held.lots[0], expires_at=ends_at),))
    posting = plan_posting(held, PLANS, utc("2016-05-07T14:00"))
    assert [(e.kind, e.amount, e.occurred_at) for e in posting.entries] == [
        (Kind.EXPIRY, -20, ends_at)
    ]
    assert plan_posting(held, PLANS, utc("2016-05-07T13:00")).after.lapses_at == ends_at
    assert posting.after.lapses_at is None


def test_an_allowance_lives_as_long_as_its_plan_says() -> None:
    """
    With twelve months an allowance lapses at the start of the thirteenth cycle, rolled
    over or not.
    """
    held = member("lifetime", "2020-01-31", "2020-02-01")
    posting = plan_posting(held, PLANS, utc("2021-03-01T00:00"))
    lapses = [
        (e.amount, e.occurred_at) for e in posting.entries if e.reason == "lapsed"
    ]
    assert lapses == [(-10, utc("2021-02-28T00:00"))]
    assert posting.after.balance == 120


def test_suspended_members_move_on_and_get_nothing() -> None:
    """Unused Connects expire as usual, and the renewal is 0 with its reason."""
    posting = at_boundary("basic", [(ALLOWANCE, 2)], status=Status.SUSPENDED)
    assert posted(posting) == [("expiry", -2, 0), ("renewal", 0, 0)]
    assert posting.entries[1].reason == "suspended"
    assert posting.after.cycle_n == 1


@pytest.mark.parametrize("status", [Status.UNDER_REVIEW, Status.CLOSED])
def test_nothing_is_posted_while_all_waits(status: Status) -> None:
    """
    Under review and closed, neither boundaries nor lapses are posted and nobody is
    asked to.
    """
    posting = at_boundary("basic", [(ALLOWANCE, 2)], status=status)
    assert posting.entries == ()


def test_every_missed_boundary_is_posted_with_its_own_date() -> None:
    """Three months of downtime are three renewals, oldest first."""
    held = member("plus", "2021-04-12", "2021-04-20")
    posting = plan_posting(held, PLANS, utc("2021-07-20T00:00"))
    days = [e.first_day for e in posting.entries if e.kind is Kind.RENEWAL]
    assert days == [date(2021, 5, 12), date(2021, 6, 12), date(2021, 7, 12)]
    assert all(
        e.occurred_at == starts_at(e.first_day, "UTC")
        for e in posting.entries
        if e.first_day
    )
    assert posting.after.balance == 210


def test_catch_up_latest_awards_only_the_last_of_them() -> None:
    """Each boundary still leaves one renewal; the earlier ones are 0 and say why."""
    held = member("plus", "2021-04-12", "2021-04-20")
    posting = plan_posting(held, PLANS, utc("2021-07-20T00:00"), CatchUp.LATEST)
    assert [(e.amount, e.reason) for e in posting.entries] == [
        (0, "caught_up"),
        (0, "caught_up"),
        (70, None),
    ]


def test_rules_change_with_the_cycle_that_begins() -> None:
    """
    The revision in force on the new cycle's first day governs the whole boundary, cap
    and allowance.
    """
    plans = Plans(
        [
            PLUS,
            replace(
                PLUS, effective_from=date(2016, 5, 19), allowance=100, rollover_cap=10
            ),
        ]
    )
    held = member("plus", "2016-04-19", "2016-05-01", unused=[(ALLOWANCE, 30)])
    assert posted(plan_posting(held, plans, utc(BOUNDARY)))[-1] == ("renewal", 100, 110)
    day_later = Plans(
        [PLUS, replace(PLUS, effective_from=date(2016, 5, 20), allowance=100)]
    )
    assert posted(plan_posting(held, day_later, utc(BOUNDARY)))[-1] == (
        "renewal",
        70,
        100,
    )


def test_an_allowance_of_zero_is_a_renewal_of_zero() -> None:
    """Every boundary leaves one renewal, and nothing is put into a lot."""
    plans = Plans([Revision("free", EPOCH, 0, 140, 12)])
    posting = plan_posting(
        member("free", "2019-01-05", "2019-01-06"), plans, utc("2019-02-05T00:00")
    )
    assert posted(posting) == [("renewal", 0, 0)]
    assert posting.new_lots == ()


@pytest.mark.parametrize(
    ("plan", "message"), [("gold", "unknown plan"), ("late", "no rules for 2016-05-19")]
)
def test_a_plan_that_cannot_be_resolved_fails_the_member(
    plan: str, message: str
) -> None:
    """It is never a renewal of 0."""
    plans = Plans([BASIC, Revision("late", date(2020, 1, 1), 60, 0)])
    with pytest.raises(PlanError, match=message):
        plan_posting(member(plan, "2016-04-19", "2016-05-01"), plans, utc(BOUNDARY))


caps = st.none() | st.integers(0, 300)
revisions = st.builds(
    Revision,
    st.just("p"),
    st.just(EPOCH),
    st.integers(0, 100),
    caps,
    st.none() | st.integers(1, 14),
)
lots = st.lists(st.tuples(st.sampled_from(Source), st.integers(1, 200)), max_size=5)
hours = st.lists(st.integers(0, 24 * 200), min_size=1, max_size=6).map(sorted)


@given(
    rules=revisions,
    unused=lots,
    anchor=st.dates(date(2014, 1, 1), date(2016, 2, 29)),
    timezone=st.sampled_from(["UTC", "America/Havana", "Asia/Beirut", "Pacific/Apia"]),
    status=st.sampled_from([Status.ACTIVE, Status.SUSPENDED]),
    steps=hours,
)
def test_the_hours_of_passes_do_not_matter(
    rules: Revision,
    unused: list[tuple[Source, int]],
    anchor: date,
    timezone: str,
    status: Status,
    steps: list[int],
) -> None:
    """
    Passes at any hours leave the ledger one pass at the last hour leaves.

    Every invariant holds in between.
    """
    plans = Plans([rules])
    start = datetime(2016, 3, 1, tzinfo=UTC)
    held = member(
        "p",
        anchor.isoformat(),
        "2016-03-01",
        unused=unused,
        timezone=timezone,
        status=status,
    )
    whole = plan_posting(held, plans, start + timedelta(hours=steps[-1]))
    entries, walked = [], held
    for step in steps:
        told: list[Boundary] = []
        until = start + timedelta(hours=step)
        posting = plan_posting(walked, plans, until, on_boundary=told.append)
        entries += posting.entries
        check_posting(posting, rules)
        renewals = [each for each in posting.entries if each.kind is Kind.RENEWAL]
        assert [each.allowance for each in told] == [each.amount for each in renewals]
        walked = posting.after
    assert tuple(entries) == whole.entries
    assert walked == whole.after


def check_posting(posting: Posting, rules: Revision) -> None:
    """Check what must hold of any posting whatever led to it."""
    after, entries = posting.after, posting.entries
    assert [entry.seq for entry in entries] == list(
        range(posting.before.last_seq + 1, after.last_seq + 1)
    )
    assert after.balance == posting.before.balance + sum(
        entry.amount for entry in entries
    )
    settled = posting.after
    assert after.balance == sum(lot.remaining for lot in settled.lots)
    assert all(lot.remaining > 0 for lot in settled.lots)
    assert sum(entry.amount for entry in entries if entry.kind is Kind.ROLLOVER) == 0
    renewals = sum(entry.kind is Kind.RENEWAL for entry in entries)
    assert renewals == after.cycle_n - posting.before.cycle_n
    assert [entry.occurred_at for entry in entries] == sorted(
        entry.occurred_at for entry in entries
    )
    assert after.renews_at == Calendar(after.anchor_on, after.timezone).boundary(
        after.cycle_n + 1
    )
    if renewals and rules.rollover_cap is not None:
        assert sum(lot.remaining for lot in carried(after)) <= rules.rollover_cap


def carried(after: Member) -> list[Lot]:
    """Return what a boundary left of earlier cycles: not the allowance it awarded."""
    return [
        lot
        for lot in after.lots
        if lot.cycle_bound
        and not (lot.source is ALLOWANCE and lot.issued_at == after.last_boundary_at)
    ]
