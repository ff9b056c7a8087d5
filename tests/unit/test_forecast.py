"""What is foreseen is what the job posts."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from renewer.rules.forecast import foresee
from renewer.rules.ledger import (
    CatchUp,
    Change,
    Kind,
    Lot,
    Member,
    Request,
    Source,
    Status,
)
from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Boundary
from tests.support import PLANS, PLUS, member, utc


def first(
    held: Member, as_of: str, catch_up: CatchUp = CatchUp.EACH, plans: Plans = PLANS
) -> Boundary:
    return next(foresee(held, plans, utc(as_of), catch_up))


def test_basic_with_two_left_is_foreseen_as_it_is_posted() -> None:
    """Two expire, none is carried, the balance becomes 60."""
    held = member("basic", "2016-04-19", "2016-05-01", unused=[(Source.ALLOWANCE, 2)])
    assert first(held, "2016-05-14") == Boundary(
        n=1,
        first_day=date(2016, 5, 19),
        last_day=date(2016, 6, 18),
        awards_at=utc("2016-05-19"),
        plan="basic",
        allowance=60,
        reason=None,
        carried=0,
        lost={1: 2},
        expiring=2,
        balance_after=60,
    )


def test_what_is_carried_includes_what_rolled_over_before() -> None:
    """It counts against the cap and stays where it is; the cap cuts the oldest lot."""
    held = member(
        "plus",
        "2016-04-19",
        "2016-05-01",
        unused=[(Source.ROLLOVER, 130), (Source.ALLOWANCE, 70)],
    )
    foreseen = first(held, "2016-05-14")
    assert (
        foreseen.carried,
        foreseen.lost,
        foreseen.expiring,
        foreseen.balance_after,
    ) == (140, {1: 60}, 60, 210)


def test_bought_connects_are_neither_carried_nor_lost() -> None:
    """No cycle touches them."""
    foreseen = first(
        member("basic", "2016-04-19", "2016-05-01", unused=[(Source.PURCHASE, 20)]),
        "2016-05-14",
    )
    assert (foreseen.carried, foreseen.expiring, foreseen.balance_after) == (0, 0, 80)


def test_what_lapses_before_the_boundary_expires_too() -> None:
    """
    Balance, what expires and what is awarded add up to the balance after.

    It is not what the cycle lost.
    """
    lots = (
        Lot(1, Source.PURCHASE, 20, utc("2016-04-20"), utc("2016-05-17")),
        Lot(2, Source.ALLOWANCE, 2, utc("2016-04-19"), None),
    )
    held = member("basic", "2016-04-19", "2016-05-01", lots=lots, last_lot=2)
    held = replace(held, balance=22)
    foreseen = first(held, "2016-05-14")
    assert (foreseen.expiring, foreseen.lost, foreseen.balance_after) == (
        22,
        {2: 2},
        60,
    )


def test_a_closed_membership_has_nothing_to_come() -> None:
    """Neither when it is closed on record nor by a request that waits."""
    closed = member("basic", "2016-04-19", "2016-05-01", status=Status.CLOSED)
    assert list(foresee(closed, PLANS, utc("2016-05-14"))) == []
    request = Request("r", Change.STATUS, {"status": "closed"}, utc("2016-05-10"))
    closing = member("basic", "2016-04-19", "2016-05-01", requests=(request,))
    assert list(foresee(closing, PLANS, utc("2016-05-14"))) == []


def test_a_review_is_taken_to_end_now() -> None:
    """All that waited comes, each awarded, whatever the catch-up of the pass."""
    held = member("basic", "2016-04-19", "2016-05-01", status=Status.UNDER_REVIEW)
    foreseen = list(islice(foresee(held, PLANS, utc("2016-07-20"), CatchUp.LATEST), 3))
    assert [(each.first_day.month, each.allowance) for each in foreseen] == [
        (5, 60),
        (6, 60),
        (7, 60),
    ]


def test_catching_up_with_the_latest_is_foreseen() -> None:
    """The missed boundaries are worth 0, those to come are not."""
    held = member("basic", "2016-04-19", "2016-05-01")
    foreseen = list(islice(foresee(held, PLANS, utc("2016-06-20"), CatchUp.LATEST), 3))
    assert [(each.allowance, each.reason) for each in foreseen] == [
        (0, "caught_up"),
        (60, None),
        (60, None),
    ]


def test_a_pending_downgrade_is_foreseen() -> None:
    """The rules of the plan to come govern: nothing is carried into it."""
    held = member(
        "plus",
        "2016-04-19",
        "2016-05-01",
        unused=[(Source.ALLOWANCE, 30)],
        pending_plan="basic",
    )
    foreseen = first(held, "2016-05-14")
    assert (foreseen.plan, foreseen.allowance, foreseen.carried, foreseen.expiring) == (
        "basic",
        60,
        0,
        30,
    )


@given(
    unused=st.lists(
        st.tuples(st.sampled_from(Source), st.integers(1, 200)), max_size=4
    ),
    plan=st.sampled_from(["basic", "plus", "lifetime"]),
    behind=st.integers(0, 100),
    count=st.integers(1, 6),
)
def test_the_job_posts_what_was_foreseen(
    unused: list[tuple[Source, int]], plan: str, behind: int, count: int
) -> None:
    """
    Passes at each boundary's hour post the renewals foreseen, with the balances
    foreseen.
    """
    held = member(plan, "2016-01-31", "2016-03-05", unused=unused)
    now = utc("2016-03-05") + timedelta(days=behind)
    foreseen = list(islice(foresee(held, PLANS, now), count))
    posted, at = [], now
    while len(posted) < count:
        posting = plan_posting(held, PLANS, at)
        posted += [entry for entry in posting.entries if entry.kind is Kind.RENEWAL]
        held = posting.after
        at = held.renews_at
    assert [
        (each.first_day, each.allowance, each.balance_after, each.awards_at)
        for each in foreseen
    ] == [
        (entry.first_day, entry.amount, entry.balance_after, entry.occurred_at)
        for entry in posted[:count]
    ]
    assert PLUS.rollover_cap is not None
    assert all(each.carried <= PLUS.rollover_cap for each in foreseen if plan == "plus")
