"""
The description of the API (OpenAPI 3.1): schemas from the documents, paths by hand.
"""

from datetime import datetime
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from renewer.answers.documents import CyclesDocument, MemberDocument, StatementDocument
from renewer.answers.expiring import ExpiringDocument
from renewer.answers.overview import RunDocument, StatusDocument
from renewer.rules.plans import Revision
from renewer.rules.value import value


@value
class RunsDocument:
    """A page of passes, newest first; *next* is the cursor to go on with."""

    items: list[RunDocument]
    next: str | None


@value
class PlansDocument:
    """The revisions of plans on record."""

    items: list[Revision]


@value
class HelpDocument:
    """The rules of renewals in words, and the plans with the planner's examples."""

    as_of: datetime
    topics: list[dict[str, Any]]
    plans: list[dict[str, Any]]


@value
class EventDocument:
    """An event of the feed, and the cursor that goes on behind it."""

    cursor: str
    event: dict[str, Any]


@value
class EventsDocument:
    """What was posted behind a cursor; *cursor* goes on behind the last of it."""

    items: list[EventDocument]
    cursor: str | None


@value
class ProblemDocument:
    """What could not be answered, and what to do."""

    type: str
    title: str
    status: int
    detail: str


MEMBER_ID = {
    "name": "member_id", "in": "path", "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 64},
}  # fmt: skip
RUN_ID = {
    "name": "run_id", "in": "path", "required": True, "schema": {"type": "integer"},
}  # fmt: skip


def _number(name: str, most: int, told: str) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": most}
    return {"name": name, "in": "query", "description": told, "schema": schema}


BEFORE = _number("before", 2**63 - 1, "the `next` of the page before")
LIMIT = _number("limit", 200, "how many at the most")
DAYS = _number("days", 36_500, "only the last days")

AFTER = {
    "name": "after", "in": "query", "schema": {"type": "string"},
    "description": "the cursor of what you have; none: from the start",
}  # fmt: skip
SPAN = "([1-9][0-9]{0,2}[smh]|([1-9][0-9]?|[12][0-9]{2}|3[0-5][0-9]|36[0-6])d)"
"""A year ahead at most."""
WITHIN = {
    "name": "within", "in": "query", "required": True,
    "description": "how far ahead: an integer and s, m, h or d",
    "schema": {"type": "string", "pattern": f"^{SPAN}$"},
}  # fmt: skip
EVENTS = _number("limit", 10_000, "how many at the most")
WAIT = _number("wait", 60, "seconds that JSON lines wait for something new")

PATHS: dict[str, tuple[type[Any], list[dict[str, Any]]]] = {
    "/api/members/{member_id}": (MemberDocument, [MEMBER_ID]),
    "/api/members/{member_id}/statement": (
        StatementDocument,
        [MEMBER_ID, BEFORE, LIMIT, DAYS],
    ),
    "/api/members/{member_id}/cycles": (CyclesDocument, [MEMBER_ID]),
    "/api/status": (StatusDocument, []),
    "/api/runs": (RunsDocument, [BEFORE, LIMIT]),
    "/api/runs/{run_id}": (RunDocument, [RUN_ID]),
    "/api/plans": (PlansDocument, []),
    "/api/events": (EventsDocument, [AFTER, EVENTS, WAIT]),
    "/api/expiring": (ExpiringDocument, [WITHIN, AFTER]),
    "/api/help": (HelpDocument, []),
}
"""What each path answers with, and what it takes."""

PROBLEMS = ("400", "401", "404", "409", "410", "429", "503")


def describe(prefix: str, *, is_open: bool) -> dict[str, Any]:
    """
    Return the description of the API, served under *prefix*.

    When it *is_open* no credential is asked for.
    """
    documents: list[type[Any]] = [
        ProblemDocument,
        *(document for document, _ in PATHS.values()),
    ]
    _, schema = TypeAdapter.json_schemas(
        [(each.__name__, "serialization", TypeAdapter(each)) for each in documents],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "renewer", "version": version("renewer")},
        "servers": [{"url": prefix or "/"}],
        "security": [] if is_open else [{"basic": []}, {"bearer": []}],
        "paths": {path: {"get": _operation(path)} for path in PATHS},
        "components": {
            "schemas": schema["$defs"],
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(path: str) -> dict[str, Any]:
    document, parameters = PATHS[path]
    problem = _content("problem+json", ProblemDocument)
    answers = {code: {"description": "a problem", **problem} for code in PROBLEMS}
    summary = " ".join((document.__doc__ or "").split())
    answers["200"] = {"description": summary, **_content("json", document)}
    return {"summary": summary, "parameters": parameters, "responses": answers}


def _content(form: str, document: type[Any]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{document.__name__}"}
    return {"content": {f"application/{form}": {"schema": reference}}}
