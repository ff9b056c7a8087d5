"""The demo's own page, and the buttons that move its clock."""

from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from renewer import store
from renewer.answers.documents import LineDocument, statement_lines
from renewer.answers.member_page import said
from renewer.answers.wording import instant, plural
from renewer.rules.ledger import Member
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
    with visit.site.snapshot() as conn:
        found = store.find_members(conn, list(stage.stories))
    held = {each.member_id: each for each in found}
    cast: list[dict[str, Any]] = [
        {
            "member": held[name],
            "story": story,
            "lines": _lines(visit, held[name]),
        }
        for name, story in stage.stories.items()
    ]
    # Whom the last step touched come first, so that nobody has to look for them.
    cast.sort(key=lambda shown: not shown["lines"])
    return as_page(
        visit,
        "demo.html",
        cast=cast,
        account=stage.account,
        instant=instant,
        said=said,
        plural=plural,
    )


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


def _lines(visit: Visit, held: Member) -> list[LineDocument]:
    """Return what the last step posted for a member, in their time zone."""
    account = _stage(visit).account
    if account is None:
        return []
    posted = account.lines.get(held.member_id, ())
    return list(statement_lines(held, posted, visit.site.word))
