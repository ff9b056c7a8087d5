"""What becomes of a member's Connects as time passes: in which order all is posted."""

from collections.abc import Callable
from datetime import date, datetime

from renewer.rules.boundary import next_cycle, post_boundary, post_lapses
from renewer.rules.draft import Draft
from renewer.rules.ledger import WAITING, CatchUp, Member
from renewer.rules.plans import Plans
from renewer.rules.posting import Boundary, Posting
from renewer.rules.requests import apply_request, next_request


def plan_posting(
    member: Member,
    plans: Plans,
    as_of: datetime,
    catch_up: CatchUp = CatchUp.EACH,
    on_boundary: Callable[[Boundary], None] | None = None,
) -> Posting:
    """
    Plan all that *member* is due up to *as_of*, in the order of its time.

    *on_boundary* is called with each boundary as it is posted.
    PlanError and InputError when a plan or a zone cannot be resolved: the whole member
    fails, nothing is renewed by guess.
    """
    draft = Draft(member, on_boundary)
    post_due(draft, plans, as_of, catch_up)
    return draft.finish()


def post_due(
    draft: Draft,
    plans: Plans,
    as_of: datetime,
    catch_up: CatchUp = CatchUp.EACH,
    through: date | None = None,
) -> None:
    """
    Post all that is due up to *as_of*, oldest first.

    At one instant a lot lapses before the boundary is posted, and a request is applied
    after it. With *through*, nothing is posted from the first boundary on whose cycle
    begins after that day.
    """
    released_at = None
    while True:
        member = draft.member
        request = next_request(member, as_of)
        if member.status in WAITING:
            # Boundaries and expiries wait. Under review a status is applied, of a
            # closed member a request is taken off the list without effect.
            if request is None:
                break
            if apply_request(draft, plans, request):
                released_at = request.at
            continue
        until = as_of if request is None else request.at
        post_lapses(draft, min(member.renews_at, until))
        if member.renews_at <= until:
            if through is not None and _next_day(member) > through:
                break
            post_boundary(draft, plans, _horizon(member, as_of, catch_up, released_at))
        elif request is not None:
            apply_request(draft, plans, request)
        else:
            break


def _next_day(member: Member) -> date:
    """Return the first day of the cycle the next boundary begins."""
    return member.calendar.first_day(next_cycle(member))


def _horizon(
    member: Member, as_of: datetime, catch_up: CatchUp, released_at: datetime | None
) -> datetime | None:
    """
    Return up to when, of several boundaries, only the last is awarded; None: each is.

    What a review held back until *released_at* is always awarded. A change of plan now
    begins a new series: boundaries after it are not those of the present anchor.
    """
    if catch_up is CatchUp.EACH:
        return None
    if released_at is not None and member.renews_at <= released_at:
        return None
    changes = [
        request.at
        for request in member.requests
        if request.content.get("effective") == "now"
    ]
    return min([as_of, *changes])
