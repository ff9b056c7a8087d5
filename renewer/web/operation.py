"""The operator's pages and their API: how the job is, one pass, the plans."""

from starlette.responses import RedirectResponse, Response

from renewer.answers.overview import (
    MOST_WAITING,
    RunDocument,
    chart,
    find_status,
    run_document,
)
from renewer.rules.plans import RULES
from renewer.store.history import LAST_SEQ
from renewer.store.revisions import find_plans
from renewer.store.runs import find_runs
from renewer.web.description import PlansDocument, RunsDocument
from renewer.web.links import segment
from renewer.web.membership import read_before, read_number
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
        status = find_status(conn, visit.site.read_clock(conn))
    hours = status.passes_by_hour
    return as_page(
        visit,
        "overview.html",
        status=status,
        bars=chart(hours, "renewed", "failed"),
        highest=max(each.renewed + each.failed for each in hours),
        due_bars=chart(status.due_by_hour, "members"),
        shown=SHOWN,
        most=MOST_WAITING,
        rules=RULES,
    )


def show_run(visit: Visit) -> Response:
    """Show one pass."""
    run = _find_run(visit)
    return as_page(visit, "run.html", run=run)


def tell_status(visit: Visit) -> Response:
    """Return the document of the operator's page."""
    with visit.site.snapshot() as conn:
        return as_json(find_status(conn, visit.site.read_clock(conn)))


def tell_runs(visit: Visit) -> Response:
    """Return a page of passes, newest first, and where it goes on."""
    before = read_before(visit.request)
    limit = read_number(visit.request, "limit", RUNS, MOST_RUNS)
    with visit.site.snapshot() as conn:
        runs = find_runs(conn, limit + 1, before)
    shown = [run_document(run) for run in runs[:limit]]
    more = str(shown[-1].run_id) if len(runs) > limit else None
    return as_json(RunsDocument(shown, more))


def tell_run(visit: Visit) -> Response:
    """Return the document of one pass."""
    return as_json(_find_run(visit))


def tell_plans(visit: Visit) -> Response:
    """Return the revisions of plans on record."""
    with visit.site.snapshot() as conn:
        return as_json(PlansDocument(find_plans(conn)))


def _find_run(visit: Visit) -> RunDocument:
    """Return the pass the path names; Refused when there is none."""
    text = visit.request.path_params["run_id"]
    if not (text.isascii() and text.isdigit() and int(text[:20]) < LAST_SEQ):
        raise Refused(NOT_FOUND)
    run_id = int(text[:20])
    with visit.site.snapshot() as conn:
        runs = find_runs(conn, 1, run_id=run_id)
    if not runs or runs[0]["run_id"] != run_id:
        raise Refused(NOT_FOUND)
    return run_document(runs[0])
