"""What the boundaries to come will post: the job's own planner, asked ahead of time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from renewer import cycle
from renewer.ledger import WAITING, CatchUp, Change, Kind, Member, Plans, Reason, Request, Source, Status
from renewer.policy import plan_posting
from renewer.posting import Posting


@dataclass(frozen=True, slots=True)
class Foreseen:
    """
    A boundary to come, in Connects, if nothing is spent or bought before it.

    *carried* is what is unused of the ended cycle and stays, *lost* what the plan does not carry, by lot, *expiring*
    all that expires up to the boundary, lapsed lots included.
    """

    n: int
    first_day: date
    last_day: date
    awards_at: datetime
    plan: str
    allowance: int
    reason: str | None
    carried: int
    lost: dict[int, int]
    expiring: int
    balance_after: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    What a pass would do for a member at some time: the boundaries it *posts*, after which they are *posted*.

    *held_back* is what it leaves because they are under review, and *released* the member if the review ended then,
    active; without one nothing is held back and *released* is *posted*.
    """

    posts: tuple[Foreseen, ...]
    posted: Member
    held_back: tuple[Foreseen, ...]
    released: Member


def forecast(member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH) -> Forecast:
    """Return what a pass at *as_of* would do; errors are those of `plan_posting`."""
    posting = plan_posting(member, plans, as_of, catch_up)
    posts, posted = tuple(_boundaries(posting)), posting.settled()
    if posted.status is not Status.UNDER_REVIEW:
        return Forecast(posts, posted, (), posted)
    posting = plan_posting(_released(posted, as_of), plans, as_of, catch_up)
    return Forecast(posts, posted, tuple(_boundaries(posting)), posting.settled())


def beyond(member: Member, plans: Plans) -> Iterator[Foreseen]:
    """Yield the boundaries of *member* as they come, without end; none when the membership is closed."""
    while member.status not in WAITING:
        posting = plan_posting(member, plans, member.renews_at)
        yield from _boundaries(posting)
        member = posting.settled()


def foresee(member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH) -> Iterator[Foreseen]:
    """
    Yield the boundaries not posted yet, without end; first those a pass at *as_of* would post.

    A review is taken to end at *as_of*, with the member active. Nothing comes after a membership was closed.
    Errors are those of `plan_posting`.
    """
    now = forecast(member, plans, as_of, catch_up)
    yield from now.posts
    yield from now.held_back
    yield from beyond(now.released, plans)


def _released(member: Member, as_of: datetime) -> Member:
    """Return *member* with a request that ends the review at *as_of*."""
    release = Request("", Change.STATUS, {"status": Status.ACTIVE}, as_of)
    return replace(member, requests=(release, *member.requests))


def _boundaries(posting: Posting) -> Iterator[Foreseen]:
    """Yield each boundary of *posting*, with what its entries do up to it."""
    lots = {lot.number: lot for lot in (*posting.before.lots, *posting.new_lots)}
    left = {lot.number: lot.remaining for lot in posting.before.lots}
    expiring, lost = 0, defaultdict[int, int](int)
    for entry in posting.entries:
        if entry.lot is not None:
            left[entry.lot] = left.get(entry.lot, 0) + entry.amount
        if entry.kind is Kind.EXPIRY:
            expiring -= entry.amount
            if entry.reason == Reason.NOT_CARRIED:
                assert entry.lot is not None
                lost[entry.lot] -= entry.amount
        if entry.kind is not Kind.RENEWAL:
            continue
        assert entry.first_day is not None
        assert entry.anchor_on is not None
        assert entry.cycle_n is not None
        assert entry.plan is not None
        carried = sum(
            remaining
            for number, remaining in left.items()
            if lots[number].cycle_bound
            and (lots[number].source is Source.ROLLOVER or lots[number].issued_at < entry.occurred_at)
        )
        yield Foreseen(
            n=entry.cycle_n,
            first_day=entry.first_day,
            last_day=cycle.last_day(entry.anchor_on, entry.cycle_n),
            awards_at=entry.occurred_at,
            plan=entry.plan,
            allowance=entry.amount,
            reason=entry.reason,
            carried=carried,
            lost=dict(lost),
            expiring=expiring,
            balance_after=entry.balance_after,
        )
        expiring, lost = 0, defaultdict(int)
