"""A member's page and its API: the answer, the statement, the cycles."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any

from psycopg.rows import DictRow
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from renewer import store
from renewer.answers.documents import explanation_document, preview_document
from renewer.answers.explanation import Explanation, read_explanation
from renewer.answers.member_page import (
    find_page,
    line_document,
    portrait,
    said,
    tell_reason,
    walk_statement,
)
from renewer.answers.wording import Word, day, instant, usable_timezone
from renewer.rules.forecast import foresee
from renewer.rules.ledger import Member
from renewer.rules.plans import Plans
from renewer.web.links import segment
from renewer.web.problems import NOT_FOUND, Refused, bad_request
from renewer.web.site import Visit, as_json, as_page

LINES = 25
MOST_LINES = 200
COLUMNS = (
    "seq",
    "occurred_at",
    "kind",
    "what",
    "amount",
    "balance_after",
    "reference",
)
"""What a statement as CSV has of each line."""
FORESEEN = 3
CYCLES = 24
"""Past cycles on the page: two years."""
FILTERS = (7, 30, 90)
MOST_DAYS = 36_500
LARGEST = 2**63 - 1
STEERING = ("=", "+", "-", "@")
"""With these a spreadsheet takes a text for a formula."""


def explain(visit: Visit, conn: store.Database) -> Explanation:
    """Return the facts about the member of the path; Refused when there is none."""
    facts = read_explanation(
        conn,
        visit.member_id,
        visit.site.read_clock(conn),
        visit.site.catch_up,
        visit.site.word,
    )
    if facts is None:
        raise Refused(NOT_FOUND)
    return facts


def find_held(visit: Visit, conn: store.Database) -> Member:
    """Return the member of the path as on record; Refused when there is none."""
    found = store.find_members(conn, [visit.member_id])
    if not found:
        raise Refused(NOT_FOUND)
    return found[0]


def show_member(visit: Visit) -> Response:
    """Show what a member or a moderator wants to see."""
    days, before = read_days(visit.request), read_before(visit.request)
    with visit.site.snapshot() as conn:
        facts = explain(visit, conn)
        since = begin(days, facts.as_of)
        lines, more = find_page(conn, facts.member, since, before, LINES)
    path = "/members/" + segment(facts.member.member_id)
    return as_page(
        visit,
        "member.html",
        path=path,
        facts=explanation_document(facts),
        shown=portrait(facts),
        lines=[line_document(line, facts.timezone, facts.word) for line in lines],
        more=more,
        days=days,
        filters=FILTERS,
        most_cycles=CYCLES,
        is_first=before == LARGEST,
        as_of=instant(facts.as_of, facts.timezone),
        said=partial(said, timezone=facts.timezone),
        reason=tell_reason,
        day=day,
    )


def export_statement(visit: Visit) -> Response:
    """Return all of a member's statement as CSV, newest line first."""
    days = read_days(visit.request)
    with visit.site.snapshot() as conn:
        held = find_held(visit, conn)
        since = begin(days, visit.site.read_clock(conn))
    walk = walk_statement(visit.site.snapshot, held, since)
    # The first lines are read before the answer begins: what fails here has its status.
    first = next(walk)
    answer = StreamingResponse(
        _write_csv(chain([first], walk), held, visit.site.word),
        media_type="text/csv; charset=utf-8",
    )
    answer.headers["Content-Disposition"] = 'attachment; filename="statement.csv"'
    return answer


def _write_csv(
    parts: Iterable[Sequence[DictRow]], held: Member, word: Word
) -> Iterator[str]:
    """Yield a CSV file with the lines of *parts*; one that fails later is cut off."""
    out = io.StringIO()
    write = csv.DictWriter(out, COLUMNS, extrasaction="ignore")
    write.writeheader()
    zone = usable_timezone(held.timezone)
    for lines in parts:
        for line in lines:
            row = line_document(line, zone, word)
            at, reference = row["occurred_at"].isoformat(), harmless(row["reference"])
            write.writerow(row | {"occurred_at": at, "reference": reference})
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
        lines, more = find_page(conn, held, since, before, limit)
    zone = usable_timezone(held.timezone)
    document = {
        "member_id": held.member_id,
        "timezone": held.timezone,
        "balance": held.balance,
        "lines": [line_document(line, zone, visit.site.word) for line in lines],
        "next": None if more is None else str(more),
    }
    return as_json(document)


def tell_cycles(visit: Visit) -> Response:
    """Return the cycles there were and those to come."""
    with visit.site.snapshot() as conn:
        facts = explain(visit, conn)
        plans = Plans(store.find_plans(conn))
    document = explanation_document(facts)
    return as_json(
        {
            "member_id": facts.member.member_id,
            "as_of": document["as_of"],
            "past_cycles": document["past_cycles"],
            "next_cycles": _foresee(visit, facts, plans),
        }
    )


def _foresee(visit: Visit, facts: Explanation, plans: Plans) -> list[dict[str, Any]]:
    """Return the boundaries to come; none when they cannot be planned."""
    if facts.problem is not None:
        return []
    coming = foresee(facts.member, plans, facts.as_of, visit.site.catch_up)
    found = list(islice(coming, FORESEEN))
    cycles: list[dict[str, Any]] = preview_document(facts.member, facts.as_of, found)[
        "cycles"
    ]
    return cycles


def begin(days: int | None, now: datetime) -> datetime:
    """Return since when a statement is wanted."""
    return store.EVER[0] if days is None else now - timedelta(days=days)


def read_days(request: Request) -> int | None:
    """Return how many days are asked for; None: all."""
    if not request.query_params.get("days"):
        return None
    return read_number(request, "days", 0, MOST_DAYS)


def read_before(request: Request) -> int:
    """Return the cursor to go on from; LARGEST: from the newest."""
    return read_number(request, "before", LARGEST, LARGEST)


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
