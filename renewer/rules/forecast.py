"""What the boundaries to come will post: the job's own planner, asked ahead of time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from renewer.rules import cycle
from renewer.rules.ledger import WAITING, CatchUp, Change, Kind, Member, Plans, Reason, Request, Source, Status
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Boundary, Posting


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    What a pass would do for a member at some time: the boundaries that are *waiting*, and the member once all is *settled*.

    *held_back* is what it leaves because they are under review, and *released* the member if the review ended then,
    active; without one nothing is held back and *released* is *settled*.
    """

    waiting: tuple[Boundary, ...]
    settled: Member
    held_back: tuple[Boundary, ...]
    released: Member


def forecast(member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH) -> Forecast:
    """Return what a pass at *as_of* would do; errors are those of `plan_posting`."""
    posting = plan_posting(member, plans, as_of, catch_up)
    waiting, settled = tuple(_boundaries(posting)), posting.settled()
    if settled.status is not Status.UNDER_REVIEW:
        return Forecast(waiting, settled, (), settled)
    posting = plan_posting(_released(settled, as_of), plans, as_of, catch_up)
    return Forecast(waiting, settled, tuple(_boundaries(posting)), posting.settled())


def beyond(member: Member, plans: Plans) -> Iterator[Boundary]:
    """Yield the boundaries of *member* as they come, without end; none when the membership is closed."""
    while member.status not in WAITING:
        posting = plan_posting(member, plans, member.renews_at)
        yield from _boundaries(posting)
        member = posting.settled()


def foresee(member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH) -> Iterator[Boundary]:
    """
    Yield the boundaries not posted yet, without end; first those a pass at *as_of* would post.

    A review is taken to end at *as_of*, with the member active. Nothing comes after a membership was closed.
    Errors are those of `plan_posting`.
    """
    now = forecast(member, plans, as_of, catch_up)
    yield from now.waiting
    yield from now.held_back
    yield from beyond(now.released, plans)


def _released(member: Member, as_of: datetime) -> Member:
    """Return *member* with a request that ends the review at *as_of*."""
    release = Request("", Change.STATUS, {"status": Status.ACTIVE}, as_of)
    return replace(member, requests=(release, *member.requests))


def _boundaries(posting: Posting) -> Iterator[Boundary]:
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
        yield Boundary(
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
