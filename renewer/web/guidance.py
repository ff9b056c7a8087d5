"""The help page: the rules for members, and the description of the API."""

from typing import Any

from starlette.responses import Response

from renewer.answers.rulebook import rulebook
from renewer.rules.plans import Plans
from renewer.store.revisions import find_plans
from renewer.web.description import describe
from renewer.web.site import Visit, as_json, as_page


def show_help(visit: Visit) -> Response:
    """Show the rules, every number computed from the plans on record."""
    return as_page(visit, "help.html", found=_find_rulebook(visit))


def tell_help(visit: Visit) -> Response:
    """Return the document of the help page."""
    return as_json(_find_rulebook(visit))


def _find_rulebook(visit: Visit) -> dict[str, Any]:
    with visit.site.snapshot() as conn:
        plans, now = Plans(find_plans(conn)), visit.site.read_clock(conn)
    return rulebook(plans, now, visit.site.word)


def tell_description(visit: Visit) -> Response:
    """Return the description of the API."""
    site = visit.site
    return as_json(describe(site.prefix, is_open=site.guard.is_open))
