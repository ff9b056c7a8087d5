"""What the boundaries to come will do: the job's own planner, asked ahead of time."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from renewer.rules.ledger import WAITING, CatchUp, Change, Member, Request, Status
from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Boundary
from renewer.rules.value import value


@value
class Forecast:
    """
    What a pass would do for a member at some time.

    *waiting* are the boundaries it would post, *settled* is the member after them.
    *held_back* is what it would leave because they are under review, and *released* the
    member if the review ended then, active. Without a review nothing is held back and
    *released* is *settled*.
    """

    waiting: tuple[Boundary, ...]
    settled: Member
    held_back: tuple[Boundary, ...]
    released: Member


def forecast(
    member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH
) -> Forecast:
    """Return what a pass at *as_of* would do; errors are those of `plan_posting`."""
    waiting: list[Boundary] = []
    settled = plan_posting(member, plans, as_of, catch_up, waiting.append).after
    held_back: list[Boundary] = []
    released = settled
    if settled.status is Status.UNDER_REVIEW:
        freed = _release(settled, as_of)
        released = plan_posting(freed, plans, as_of, catch_up, held_back.append).after
    return Forecast(tuple(waiting), settled, tuple(held_back), released)


def beyond(member: Member, plans: Plans) -> Iterator[Boundary]:
    """Yield the boundaries of *member* as they come; none once they are closed."""
    while member.status not in WAITING:
        boundaries: list[Boundary] = []
        posting = plan_posting(
            member, plans, member.renews_at, on_boundary=boundaries.append
        )
        yield from boundaries
        member = posting.after


def foresee(
    member: Member, plans: Plans, as_of: datetime, catch_up: CatchUp = CatchUp.EACH
) -> Iterator[Boundary]:
    """
    Yield the boundaries not posted yet; those due at *as_of* come first.

    There is no end to them but a closing. A review is taken to end at *as_of*, with the
    member active. Errors are those of `plan_posting`.
    """
    now = forecast(member, plans, as_of, catch_up)
    yield from now.waiting
    yield from now.held_back
    yield from beyond(now.released, plans)


def _release(member: Member, as_of: datetime) -> Member:
    """Return *member* with a request that ends the review at *as_of*."""
    end = Request("", Change.STATUS, {"status": Status.ACTIVE}, as_of)
    return replace(member, requests=(end, *member.requests))
