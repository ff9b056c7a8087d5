"""The pages and the API: their routes, who may see them, and what goes wrong."""

import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlencode

import orjson
import psycopg
import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from renewer.answers.wording import (
    Word,
    age,
    day,
    escape,
    instant,
    line_time,
    plural,
    signed,
)
from renewer.errors import RenewerError, UnknownCursor
from renewer.host.settings import Brand
from renewer.rules.ledger import CatchUp
from renewer.rules.value import value
from renewer.store import connection
from renewer.store.connection import Database, is_server_trouble
from renewer.web.access import Guard, Limit, Visitor
from renewer.web.links import segment
from renewer.web.problems import (
    AWAY,
    BROKEN,
    NOT_FOUND,
    UNKNOWN,
    Refused,
    Trouble,
    bad_request,
)
from renewer.web.stage import Stage, Step

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
LONGEST_ID = 64

log = structlog.get_logger()

Snapshot = Callable[[], AbstractContextManager[Database]]


@value
class Site:
    """
    What every page is made with.

    *snapshot* opens a transaction that reads as of one moment. *stage* is the demo's,
    and None elsewhere.
    """

    snapshot: Snapshot
    guard: Guard
    catch_up: CatchUp
    brand: Brand
    prefix: str
    stage: Stage | None = None

    @property
    def word(self) -> Word:
        """Return what the marketplace calls its credits."""
        return Word(self.brand.one, self.brand.several)

    def read_clock(self, conn: Database) -> datetime:
        """Return the time the pages are of: the database's, or that of the demo."""
        return connection.read_clock(conn) if self.stage is None else self.stage.now


@value
class Visit:
    """One request of a visitor who may make it."""

    site: Site
    request: Request
    visitor: Visitor

    def link(self, path: str, **query: Any) -> str:
        """Return an address of this site; the token of a link goes with it."""
        if self.visitor.token is not None:
            query["token"] = self.visitor.token
        given = {name: text for name, text in query.items() if text is not None}
        return self.site.prefix + path + (f"?{urlencode(given)}" if given else "")


@value
class Page:
    """A path, what answers it, and who may see it: the operator or the member."""

    path: str
    make: Callable[[Visit], Response]
    audience: str
    method: str = "GET"


def read_id(request: Request) -> str:
    """Return the member's id of the path; Refused when it cannot be one."""
    try:
        member_id = unquote(request.path_params["member_id"], errors="strict")
    except UnicodeDecodeError:
        raise Refused(NOT_FOUND) from None
    if not 1 <= len(member_id) <= LONGEST_ID or CONTROL.search(member_id):
        raise Refused(NOT_FOUND)
    return member_id


def build(site: Site, pages: Sequence[Page]) -> ASGIApp:
    """Return the application."""
    limit = Limit()
    static = StaticFiles(packages=[("renewer.web", "static")])
    routes: list[Any] = [_route(site, limit, page) for page in pages]
    routes.append(Mount("/static", static))

    def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        trouble = NOT_FOUND
        if error.status_code != HTTPStatus.NOT_FOUND:
            trouble = Trouble(HTTPStatus(error.status_code), "Only GET is answered.")
        answer = show_trouble(site, request, trouble)
        # Of a method that is not answered: which are.
        answer.headers.update(error.headers or {})
        return answer

    return Starlette(routes=routes, exception_handlers={HTTPException: handle})


def _route(site: Site, limit: Limit, page: Page) -> Route:
    def endpoint(request: Request) -> Response:
        request.scope["page"] = page.path
        visitor = site.guard.recognise(request)
        try:
            _admit(page, request, visitor)
            _check_text(request)
            return page.make(Visit(site, request, visitor))
        except Refused as refused:
            trouble = _limited(limit, request, visitor, refused.trouble)
        except (RenewerError, psycopg.Error) as error:
            trouble = _judge(error)
        return show_trouble(site, request, trouble)

    return Route(page.path, endpoint, methods=[page.method])


def _admit(page: Page, request: Request, visitor: Visitor) -> None:
    """Let a visitor in, or raise Refused."""
    if not visitor.is_known:
        raise Refused(UNKNOWN)
    if page.audience == "operator" and not visitor.is_operator:
        raise Refused(NOT_FOUND)
    if page.audience == "member" and not visitor.may_see(read_id(request)):
        raise Refused(NOT_FOUND)


def _check_text(request: Request) -> None:
    """Refuse what no text of the database can hold."""
    if any("\0" in text for _, text in request.query_params.multi_items()):
        raise bad_request("a text cannot have the character U+0000")


FAILED_LOOKUPS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND)


def _limited(
    limit: Limit, request: Request, visitor: Visitor, trouble: Trouble
) -> Trouble:
    """Return *trouble*, or that there were too many of its like from one address."""
    if visitor.is_operator or trouble.status not in FAILED_LOOKUPS:
        return trouble
    wait_s = limit.count(request.client.host if request.client else "")
    if wait_s is None:
        return trouble
    told = "Too many look-ups failed: wait a minute."
    return Trouble(HTTPStatus.TOO_MANY_REQUESTS, told, retry_after_s=wait_s)


def _judge(error: RenewerError | psycopg.Error) -> Trouble:
    if isinstance(error, psycopg.Error):
        log.warning("web.database_failed", error=type(error).__name__)
    if is_server_trouble(error):
        return AWAY
    if isinstance(error, psycopg.Error):
        return BROKEN
    # What is on record cannot be explained at this time: the message says why.
    is_gone = isinstance(error, UnknownCursor)
    return Trouble(HTTPStatus.GONE if is_gone else HTTPStatus.CONFLICT, str(error))


def as_json(document: Any, kind: str = "json") -> Response:
    """Return a document as an answer."""
    return Response(orjson.dumps(document), media_type=f"application/{kind}")


STEPS = {
    Step.HOUR: "One hour on",
    Step.DAY: "One day on",
    Step.BOUNDARY: "To the next renewal",
}
"""What the buttons of the demo's clock say."""

templates = Environment(
    loader=PackageLoader("renewer.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Templates escape whatever they are given."""
templates.filters |= {"escape_controls": escape, "signed": signed}
templates.globals |= {
    "age": age,
    "command": shlex.quote,
    "day": day,
    "instant": instant,
    "line_time": line_time,
    "plural": plural,
    "segment": segment,
}


def as_page(visit: Visit, name: str, **shown: Any) -> Response:
    """Return a page made from a template."""
    context = {
        "brand": visit.site.brand,
        "word": visit.site.word,
        "link": visit.link,
        "prefix": visit.site.prefix,
        "is_operator": visit.visitor.is_operator,
        "own": visit.visitor.own_path,
        "clock": _show_clock(visit),
    }
    return HTMLResponse(templates.get_template(name).render(context | shown))


def _show_clock(visit: Visit) -> dict[str, Any] | None:
    """Return the demo's clock and its buttons, for the top of a page."""
    stage = visit.site.stage
    if stage is None:
        return None
    # After a step the reader is back on the page of the member they looked at.
    named = visit.request.path_params.get("member_id")
    here = unquote(named) if named else None
    account = stage.account
    return {
        "now": stage.now,
        "words": f"{stage.now:%A} {instant(stage.now, 'UTC')}",
        "buttons": [
            (words, visit.link(f"/demo/{step}", member=here))
            for step, words in STEPS.items()
        ],
        "account": account,
        "lines": account.lines.get(here or "", ()) if account else (),
        "is_member": here in stage.stories,
    }


def show_trouble(site: Site, request: Request, trouble: Trouble) -> Response:
    """Return a problem: a page for people, a document for programs."""
    status = trouble.status
    if request.url.path.startswith(f"{site.prefix}/api/"):
        document = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": trouble.detail,
        }
        answer = as_json(document, "problem+json")
    else:
        visit = Visit(site, request, Visitor())
        answer = as_page(visit, "trouble.html", trouble=trouble)
    answer.status_code = status.value
    if trouble.retry_after_s is not None:
        answer.headers["Retry-After"] = str(trouble.retry_after_s)
    if status is HTTPStatus.UNAUTHORIZED:
        basic = site.guard.token is not None
        offered = "Bearer"
        if basic:
            offered = 'Basic realm="renewer", charset="UTF-8"'
        answer.headers["WWW-Authenticate"] = offered
    return answer
