"""The operator's pages and their API: how the job is, one pass, the plans."""

import shlex
from datetime import timedelta
from typing import Any

from starlette.responses import RedirectResponse, Response

from renewer import store
from renewer.answers.overview import (
    MOST_FAILING,
    MOST_WAITING,
    chart,
    find_overview,
    plan_document,
    run_document,
)
from renewer.answers.wording import age, instant, plural
from renewer.web.links import segment
from renewer.web.membership import LARGEST, read_before, read_number
from renewer.web.problems import NOT_FOUND, Refused
from renewer.web.site import Visit, as_json, as_page

RUNS = 25
MOST_RUNS = 200
SHOWN = 12
"""Passes on the overview, one by one; the hours of two days stand behind the chart."""


def show_overview(visit: Visit) -> Response:
    """Show the operator how the job is; a search leads to the member."""
    sought = visit.request.query_params.get("member", "").strip()
    if sought:
        return RedirectResponse(visit.link("/members/" + segment(sought)), 303)
    with visit.site.snapshot() as conn:
        found = find_overview(conn, visit.site.read_clock(conn))
    now = found["as_of"]
    since, lag = found["last_pass_at"], timedelta(seconds=found["lag_seconds"])
    return as_page(
        visit,
        "overview.html",
        found=found,
        bars=chart(found["passes_by_hour"], "renewed", "failed"),
        highest=max(map(_height, found["passes_by_hour"])),
        due_bars=chart(found["due_by_hour"], "members"),
        ago=None if since is None else age(now - since),
        shown=SHOWN,
        most_failing=MOST_FAILING,
        most_waiting=MOST_WAITING,
        instant=instant,
        command=shlex.quote,
        plural=plural,
        lag=age(lag) if lag else "none",
    )


def _height(hour: dict[str, Any]) -> int:
    """Return how many members the passes of an hour looked at to an end."""
    return int(hour["renewed"] + hour["failed"])


def show_run(visit: Visit) -> Response:
    """Show one pass."""
    run = _find_run(visit)
    return as_page(visit, "run.html", run=run, instant=instant)


def tell_status(visit: Visit) -> Response:
    """Return the document of the operator's page."""
    with visit.site.snapshot() as conn:
        return as_json(find_overview(conn, visit.site.read_clock(conn)))


def tell_runs(visit: Visit) -> Response:
    """Return a page of passes, newest first, and where it goes on."""
    before = read_before(visit.request)
    limit = read_number(visit.request, "limit", RUNS, MOST_RUNS)
    with visit.site.snapshot() as conn:
        runs = store.find_runs(conn, limit + 1, before)
    shown = [run_document(run) for run in runs[:limit]]
    more = str(shown[-1]["run_id"]) if len(runs) > limit else None
    return as_json({"items": shown, "next": more})


def tell_run(visit: Visit) -> Response:
    """Return the document of one pass."""
    return as_json(_find_run(visit))


def tell_plans(visit: Visit) -> Response:
    """Return the revisions of plans on record."""
    with visit.site.snapshot() as conn:
        found = [plan_document(each) for each in store.find_plans(conn)]
    return as_json({"items": found})


def _find_run(visit: Visit) -> dict[str, Any]:
    """Return the pass the path names; Refused when there is none."""
    text = visit.request.path_params["run_id"]
    if not (text.isascii() and text.isdigit() and int(text[:20]) < LARGEST):
        raise Refused(NOT_FOUND)
    run_id = int(text[:20])
    with visit.site.snapshot() as conn:
        runs = store.find_runs(conn, 1, run_id=run_id)
    if not runs or runs[0]["run_id"] != run_id:
        raise Refused(NOT_FOUND)
    return run_document(runs[0])
