"""The feed and what is coming, for programs: pages, or JSON lines as they come."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any

import anyio
import orjson
import psycopg
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from renewer.answers.expiring import ExpiringDocument, NoticeDocument, find_notices
from renewer.errors import RenewerError
from renewer.rules.calendar import read_duration
from renewer.store.connection import read_clock
from renewer.store.feed import MOST_EVENTS, read_events
from renewer.web.description import SPAN
from renewer.web.membership import read_number
from renewer.web.problems import bad_request
from renewer.web.site import Visit, as_json

EVENTS = 1000
LINES = "application/x-ndjson"
WAIT_S = 30
MOST_WAIT_S = 60
POLL_S = 1.0
ENOUGH = 1000
"""Notices after which a page ends."""
LOOK_S = 1.0
"""How long one page of notices is looked for."""

log = structlog.get_logger()

Rows = Sequence[tuple[str, dict[str, Any]]]


def tell_events(visit: Visit) -> Response:
    """
    Return what was posted behind a cursor: a page, or lines as they come.

    With lines the first are waited for; the answer ends when there is nothing more.
    """
    request = visit.request
    after = request.query_params.get("after") or None
    limit = read_number(request, "limit", EVENTS, MOST_EVENTS)
    wait_s = read_number(request, "wait", WAIT_S, MOST_WAIT_S)
    rows = _read(visit, after, limit)
    if LINES in request.headers.get("accept", ""):
        lines = _stream(visit, rows, after, limit, wait_s)
        return StreamingResponse(lines, media_type=LINES)
    items = [{"cursor": cursor, "event": event} for cursor, event in rows]
    return as_json({"items": items, "cursor": rows[-1][0] if rows else after})


def _read(visit: Visit, after: str | None, limit: int) -> Rows:
    with visit.site.snapshot() as conn:
        return read_events(conn, after, limit)


async def _stream(
    visit: Visit, rows: Rows, after: str | None, limit: int, wait_s: int
) -> AsyncIterator[bytes]:
    """Yield lines up to *limit*; no connection and no thread is held in between."""
    ends_at = monotonic() + wait_s
    try:
        while not rows and monotonic() < ends_at:
            await anyio.sleep(POLL_S)
            rows = await run_in_threadpool(_read, visit, after, limit)
    except (psycopg.Error, RenewerError) as error:
        # What was sent is whole: the reader asks again from its last cursor.
        log.warning("web.feed_broken", error=type(error).__name__)
        return
    for cursor, event in rows:
        yield orjson.dumps({"cursor": cursor, "event": event}) + b"\n"


def tell_expiring(visit: Visit) -> Response:
    """Return which Connects end soon, behind a member's id that the last page named."""
    request = visit.request
    span = _read_span(request)
    after = request.query_params.get("after", "")
    items: list[NoticeDocument] = []
    began, following = monotonic(), None
    with visit.site.snapshot() as conn:
        as_of = read_clock(conn)
        for notices in find_notices(conn, as_of, as_of + span, after):
            items += notices.items
            following = notices.next
            if len(items) >= ENOUGH or monotonic() - began > LOOK_S:
                break
    return as_json(ExpiringDocument(items, following))


def _read_span(request: Request) -> timedelta:
    text = request.query_params.get("within", "")
    if not re.fullmatch(SPAN, text):
        raise bad_request("within is how far ahead: 1s to 999h, or 1d to 366d")
    return read_duration("within", text)
