"""The description of the API (OpenAPI 3.1): models by pydantic, paths by hand."""

from datetime import date, datetime
from importlib.metadata import version
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from renewer.answers.explanation import Code


class _NoteModel(BaseModel):
    code: str
    text: str
    values: dict[str, Any]


class _PlanModel(BaseModel):
    code: str
    allowance: int | None
    rollover_cap: int | None
    lifetime_months: int | None


class _CycleModel(BaseModel):
    n: int
    first_day: date
    last_day: date


class _NextModel(BaseModel):
    allowance: int
    carried: int
    expiring: int
    balance_after: int


class _LotModel(BaseModel):
    source: str
    remaining: int
    issued_at: datetime
    expires_at: datetime | None
    ends_with_cycle: bool


class _RenewalModel(BaseModel):
    first_day: date
    amount: int
    reason: str | None
    posted_at: datetime


class _PastCycleModel(BaseModel):
    first_day: date
    last_day: date
    expected: int | None
    awarded: int
    reason: str | None


class MemberModel(BaseModel):
    """Why a member's Connects renewed or not yet: the document of `explain --json`."""

    member_id: str
    as_of: datetime
    status_code: Code
    headline: str
    notes: list[_NoteModel]
    timezone: str
    plan: _PlanModel
    pending_plan: str | None
    balance: int
    cycle: _CycleModel | None
    awards_at: datetime | None
    next: _NextModel | None
    lots: list[_LotModel]
    last_renewal: _RenewalModel | None
    past_cycles: list[_PastCycleModel]


class _LineModel(BaseModel):
    seq: int
    occurred_at: datetime
    kind: str
    what: str
    amount: int
    balance_after: int
    reference: str | None


class StatementModel(BaseModel):
    """A page of a statement, newest line first; *next* is the cursor to go on with."""

    member_id: str
    timezone: str
    balance: int
    lines: list[_LineModel]
    next: str | None


class _BoundaryModel(BaseModel):
    n: int
    first_day: date
    last_day: date
    awards_at: datetime
    plan: str
    reason: str | None
    allowance: int
    carried: int
    expiring: int
    balance_after: int


class CyclesModel(BaseModel):
    """The cycles there were, and those to come."""

    member_id: str
    as_of: datetime
    past_cycles: list[_PastCycleModel]
    next_cycles: list[_BoundaryModel]


class RunModel(BaseModel):
    """One pass of the job."""

    run_id: int
    trigger: str
    state: str
    catch_up: str
    reason: str | None
    as_of: datetime
    started_at: datetime
    seconds: float
    due: int
    renewed: int
    late: int
    expired: int
    applied: int
    skipped: int
    failed: int
    entries: int
    per_second: float


class RunsModel(BaseModel):
    """A page of passes, newest first; *next* is the cursor to go on with."""

    items: list[RunModel]
    next: str | None


class _RevisionModel(BaseModel):
    code: str
    effective_from: date
    allowance: int
    rollover_cap: int | None
    lifetime_months: int | None


class PlansModel(BaseModel):
    """The revisions of plans on record."""

    items: list[_RevisionModel]


class _UnruledModel(BaseModel):
    member_id: str
    plan: str
    renews_at: datetime


class StatusModel(BaseModel):
    """How the job is doing."""

    as_of: datetime
    light: str
    lag_seconds: int
    due: int
    requests: int
    retrying: int
    parked: int
    last_pass_at: datetime | None
    running: bool
    next_pass_at: datetime
    next_due_at: datetime | None
    workers: list[dict[str, Any]]
    census_at: datetime | None
    members: dict[str, int] | None
    due_by_hour: list[dict[str, Any]]
    without_rule: int | None
    first_without_rule: list[_UnruledModel]
    causes: list[dict[str, Any]]
    runs: list[RunModel]
    announced: dict[str, int]
    passes_by_hour: list[dict[str, Any]]
    verification: dict[str, Any]
    plans: list[_RevisionModel]


class HelpModel(BaseModel):
    """The rules of renewals in words, and the plans with the planner's examples."""

    as_of: datetime
    topics: list[dict[str, Any]]
    plans: list[dict[str, Any]]


class _EventModel(BaseModel):
    cursor: str
    event: dict[str, Any]


class EventsModel(BaseModel):
    """What was posted behind a cursor; *cursor* goes on behind the last of it."""

    items: list[_EventModel]
    cursor: str | None


class _NoticeModel(BaseModel):
    id: UUID
    member_id: str
    lot: int
    source: str
    amount: int
    ends_at: datetime


class ExpiringModel(BaseModel):
    """Connects that end soon unless they are spent; *next* is where it goes on."""

    items: list[_NoticeModel]
    next: str | None


class ProblemModel(BaseModel):
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

PATHS: dict[str, tuple[type[BaseModel], list[dict[str, Any]]]] = {
    "/api/members/{member_id}": (MemberModel, [MEMBER_ID]),
    "/api/members/{member_id}/statement": (
        StatementModel,
        [MEMBER_ID, BEFORE, LIMIT, DAYS],
    ),
    "/api/members/{member_id}/cycles": (CyclesModel, [MEMBER_ID]),
    "/api/status": (StatusModel, []),
    "/api/runs": (RunsModel, [BEFORE, LIMIT]),
    "/api/runs/{run_id}": (RunModel, [RUN_ID]),
    "/api/plans": (PlansModel, []),
    "/api/events": (EventsModel, [AFTER, EVENTS, WAIT]),
    "/api/expiring": (ExpiringModel, [WITHIN, AFTER]),
    "/api/help": (HelpModel, []),
}
"""What each path answers with, and what it takes."""

PROBLEMS = ("400", "401", "404", "409", "410", "429", "503")


def describe(prefix: str, *, is_open: bool) -> dict[str, Any]:
    """
    Return the description of the API, served under *prefix*.

    When it *is_open* no credential is asked for.
    """
    models: list[type[BaseModel]] = [
        *(model for model, _ in PATHS.values()),
        ProblemModel,
    ]
    _, schema = models_json_schema(
        [(model, "serialization") for model in models],
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
    model, parameters = PATHS[path]
    problem = _content("problem+json", ProblemModel)
    answers = {code: {"description": "a problem", **problem} for code in PROBLEMS}
    told = " ".join((model.__doc__ or "").split())
    answers["200"] = {"description": told, **_content("json", model)}
    return {"summary": told, "parameters": parameters, "responses": answers}


def _content(form: str, model: type[BaseModel]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"content": {f"application/{form}": {"schema": reference}}}
