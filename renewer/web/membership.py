"""A member's page and its API: the answer, the statement, the cycles."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import chain, islice

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from renewer.answers.documents import (
    LineDocument,
    cycles_document,
    explanation_document,
)
from renewer.answers.explanation import Explanation, find_explanation
from renewer.answers.member_page import (
    find_page,
    member_page,
    tell_reason,
    walk_statement,
)
from renewer.rules.forecast import foresee
from renewer.rules.ledger import Member
from renewer.rules.posting import Boundary
from renewer.store.connection import Database
from renewer.store.history import EVER, LAST_SEQ
from renewer.store.members import find_members
from renewer.web.links import segment
from renewer.web.problems import NOT_FOUND, Refused, bad_request
from renewer.web.site import Visit, as_json, as_page, read_id

LINES = 25
MOST_LINES = 200
COLUMNS = [each.name for each in fields(LineDocument)]
"""Columns of a statement as CSV."""
FORESEEN = 3
CYCLES = 24
"""Past cycles on the page: two years."""
FILTERS = (7, 30, 90)
MOST_DAYS = 36_500
STEERING = ("=", "+", "-", "@")
"""With these a spreadsheet takes a text for a formula."""


def explain(visit: Visit, conn: Database) -> Explanation:
    """Return the facts about the member of the path; Refused when there is none."""
    site, now = visit.site, visit.site.read_clock(conn)
    facts = find_explanation(
        conn, read_id(visit.request), now, site.catch_up, site.word
    )
    if facts is None:
        raise Refused(NOT_FOUND)
    return facts


def find_held(visit: Visit, conn: Database) -> Member:
    """Return the member of the path as on record; Refused when there is none."""
    found = find_members(conn, [read_id(visit.request)])
    if not found:
        raise Refused(NOT_FOUND)
    return found[0]


def show_member(visit: Visit) -> Response:
    """Show what a member or a moderator wants to see."""
    days, before = read_days(visit.request), read_before(visit.request)
    with visit.site.snapshot() as conn:
        facts = explain(visit, conn)
        since = begin(days, facts.as_of)
        page = find_page(conn, facts.member, since, before, LINES, facts.word)
    document = explanation_document(facts)
    return as_page(
        visit,
        "member.html",
        path="/members/" + segment(facts.member.member_id),
        facts=document,
        shown=member_page(facts, document),
        lines=page.lines,
        more=page.next,
        days=days,
        filters=FILTERS,
        most_cycles=CYCLES,
        is_first=before == LAST_SEQ,
        timezone=facts.timezone,
        reason=tell_reason,
    )


def export_statement(visit: Visit) -> Response:
    """Return all of a member's statement as CSV, newest line first."""
    days = read_days(visit.request)
    with visit.site.snapshot() as conn:
        held = find_held(visit, conn)
        since = begin(days, visit.site.read_clock(conn))
    walk = walk_statement(visit.site.snapshot, held, since, visit.site.word)
    # The first lines are read before the answer begins: what fails here has its status.
    first = next(walk)
    answer = StreamingResponse(
        _write_csv(chain([first], walk)), media_type="text/csv; charset=utf-8"
    )
    answer.headers["Content-Disposition"] = 'attachment; filename="statement.csv"'
    return answer


def _write_csv(parts: Iterable[list[LineDocument]]) -> Iterator[str]:
    """Yield a CSV file with the lines of *parts*; one that fails later is cut off."""
    out = io.StringIO()
    write = csv.DictWriter(out, COLUMNS)
    write.writeheader()
    for lines in parts:
        for line in lines:
            row = {name: getattr(line, name) for name in COLUMNS}
            row["occurred_at"] = line.occurred_at.isoformat()
            row["reference"] = harmless(line.reference)
            write.writerow(row)
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def harmless(text: str | None) -> str:
    """Return a text of others that no spreadsheet takes for a formula."""
    if text is None:
        return ""
    return f"'{text}" if text.startswith(STEERING) else text


def tell_member(visit: Visit) -> Response:
    """Return the document of `explain --json`."""
    with visit.site.snapshot() as conn:
        return as_json(explanation_document(explain(visit, conn)))


def tell_statement(visit: Visit) -> Response:
    """Return a page of a statement, newest line first, and where it goes on."""
    days, before = read_days(visit.request), read_before(visit.request)
    limit = read_number(visit.request, "limit", LINES, MOST_LINES)
    with visit.site.snapshot() as conn:
        held = find_held(visit, conn)
        since = begin(days, visit.site.read_clock(conn))
        page = find_page(conn, held, since, before, limit, visit.site.word)
    return as_json(page)


def tell_cycles(visit: Visit) -> Response:
    """Return the cycles there were and those to come."""
    with visit.site.snapshot() as conn:
        facts = explain(visit, conn)
    coming: Iterable[Boundary] = ()
    if facts.problem is None:
        # Boundaries that cannot be planned are left out.
        coming = foresee(facts.member, facts.plans, facts.as_of, visit.site.catch_up)
    return as_json(cycles_document(facts, list(islice(coming, FORESEEN))))


def begin(days: int | None, now: datetime) -> datetime:
    """Return since when a statement is wanted."""
    return EVER[0] if days is None else now - timedelta(days=days)


def read_days(request: Request) -> int | None:
    """Return how many days are asked for; None: all."""
    if not request.query_params.get("days"):
        return None
    return read_number(request, "days", 0, MOST_DAYS)


def read_before(request: Request) -> int:
    """Return the cursor to go on from; LAST_SEQ: from the newest."""
    return read_number(request, "before", LAST_SEQ, LAST_SEQ)


def read_number(request: Request, name: str, default: int, most: int) -> int:
    """Return a number of the query; Refused when it is none from 1 to *most*."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise bad_request(f"{name} is a whole number")
    if not 1 <= int(text) <= most:
        raise bad_request(f"{name} is a number from 1 to {most}")
    return int(text)
