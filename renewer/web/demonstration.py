"""The demo's own page, and the buttons that move its clock."""

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from renewer.answers.documents import statement_lines
from renewer.store.members import find_members
from renewer.web.links import segment
from renewer.web.problems import NOT_FOUND, Refused, Trouble
from renewer.web.site import Visit, as_page
from renewer.web.stage import Stage, Step

FOREIGN = Trouble(
    HTTPStatus.FORBIDDEN, "The clock is moved by the buttons of these pages alone."
)


def show_demo(visit: Visit) -> Response:
    """Show who takes part in the demo, and what the last step did to each of them."""
    stage = _stage(visit)
    posted = stage.account.lines if stage.account else {}
    with visit.site.snapshot() as conn:
        members = find_members(conn, list(stage.stories))
    cast: list[dict[str, Any]] = [
        {
            "member": member,
            "story": stage.stories[member.member_id],
            "lines": statement_lines(
                member, posted.get(member.member_id, ()), visit.site.word
            ),
        }
        for member in members
    ]
    # Whom the last step touched come first, so that nobody has to look for them.
    cast.sort(key=lambda shown: not shown["lines"])
    return as_page(visit, "demo.html", cast=cast, account=stage.account)


def advance(visit: Visit) -> Response:
    """Move the demo's clock on, and lead back to where the button was."""
    check_origin(visit.request)
    try:
        step = Step(visit.request.path_params["step"])
    except ValueError:
        raise Refused(NOT_FOUND) from None
    stage = _stage(visit)
    stage.advance(step)
    # The page is named by a member's id, never by an address that could lead astray.
    back = visit.request.query_params.get("member")
    path = "/demo"
    if back is not None and back in stage.stories:
        path = f"/members/{segment(back)}"
    return RedirectResponse(visit.link(path), HTTPStatus.SEE_OTHER)


def check_origin(request: Request) -> None:
    """
    Refuse a button that another site has pressed.

    A browser names the page it sends from, and no page can make it say another.
    """
    ours = f"{request.url.scheme}://{request.headers['host']}"
    if request.headers.getlist("origin") != [ours]:
        raise Refused(FOREIGN)


def _stage(visit: Visit) -> Stage:
    stage = visit.site.stage
    assert stage is not None  # these pages are served by the demo alone
    return stage
