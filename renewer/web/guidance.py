"""The help page: the rules for members, and the description of the API."""

from starlette.responses import Response

from renewer.answers.rulebook import find_rulebook
from renewer.answers.wording import instant
from renewer.web.description import describe
from renewer.web.site import Visit, as_json, as_page


def show_help(visit: Visit) -> Response:
    """Show the rules, every number computed from the plans on record."""
    with visit.site.snapshot() as conn:
        found = find_rulebook(conn, visit.site.read_clock(conn), visit.site.word)
    return as_page(visit, "help.html", found=found, instant=instant)


def tell_help(visit: Visit) -> Response:
    """Return the document of the help page."""
    with visit.site.snapshot() as conn:
        now = visit.site.read_clock(conn)
        return as_json(find_rulebook(conn, now, visit.site.word))


def tell_description(visit: Visit) -> Response:
    """Return the description of the API."""
    site = visit.site
    return as_json(describe(site.prefix, is_open=site.guard.is_open))
