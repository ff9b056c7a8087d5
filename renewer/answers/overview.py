"""
How the job is doing, from what is kept about it: nothing here looks at all members.

Runs, the census, the index of who is due, workers, failures and verifications.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from operator import itemgetter
from typing import Any

from psycopg.rows import DictRow

from renewer import store
from renewer.answers.documents import members_per_second
from renewer.answers.health import LATE, OVERDUE
from renewer.rules.plans import Revision

SHOWN_FOR = timedelta(hours=48)
AHEAD = timedelta(hours=24)
HOUR = timedelta(hours=1)
MOST_WAITING = 10_000
MOST_FAILING = 1000
"""Of ten times as many a page would take longer than people wait."""
MOST_RUNS = 1000
"""How many passes are looked at: far more than 48 hours have."""
ANNOUNCED = "announced"
SUMMED = ("due", "renewed", "late", "expired", "applied", "skipped", "failed")


class Light(StrEnum):
    """How the job is: one word."""

    IN_ORDER = "in order"
    LATE = "late"
    FAILING = "failing"


def find_overview(conn: store.Database, now: datetime) -> dict[str, Any]:
    """
    Return what the operator's page shows, in the snapshot the caller has open.

    Counting stops: of who is due and of requests at MOST_WAITING, of members who fail
    at MOST_FAILING.
    """
    backlog = store.find_backlog(conn, now, MOST_FAILING)
    passes = store.find_passes(conn)
    waiting, census = (
        store.count_waiting(conn, now, MOST_WAITING),
        store.find_census(conn),
    )
    recent = [
        run
        for run in store.find_runs(conn, MOST_RUNS)
        if run["started_at"] > now - SHOWN_FOR
    ]
    since = backlog.oldest_due_at
    lag = timedelta(0) if since is None else now - since
    revisions = store.find_plans(conn)
    return {
        "as_of": now,
        "light": light(backlog, passes, lag, now),
        "lag_seconds": round(lag.total_seconds()),
        "due": waiting["due"],
        "requests": waiting["requests"],
        "retrying": backlog.retrying,
        "parked": backlog.parked,
        "last_pass_at": passes.succeeded_at,
        "running": passes.running,
        "next_pass_at": now.replace(minute=0, second=0, microsecond=0) + HOUR,
        "next_due_at": store.find_next_due(conn, now),
        "workers": store.find_workers(conn),
        "census_at": None if census is None else census["taken_at"],
        "members": None if census is None else members_by_status(census),
        "due_by_hour": [] if census is None else due_by_hour(census, now),
        "without_rule": None if census is None else census["without_rule"],
        "first_without_rule": [] if census is None else first_without_rule(census),
        "causes": store.find_causes(conn, MOST_FAILING),
        "runs": [run_document(run) for run in recent if run["trigger"] != ANNOUNCED],
        "announced": sum_announced(recent),
        "passes_by_hour": passes_by_hour(recent, now),
        "verification": store.find_verification(conn),
        "plans": [plan_document(each) for each in revisions],
    }


def light(
    backlog: store.Backlog, passes: store.Passes, lag: timedelta, now: datetime
) -> Light:
    """Return how the job is: failing when a person is needed, late when time is."""
    if backlog.retrying or backlog.parked:
        return Light.FAILING
    succeeded_at = passes.succeeded_at
    if succeeded_at is None or now - succeeded_at > OVERDUE or lag > LATE:
        return Light.LATE
    return Light.IN_ORDER


def members_by_status(census: DictRow) -> dict[str, int]:
    """Return how many members there were of each status."""
    found: dict[str, int] = {}
    for row in census["members"]:
        found[row["status"]] = found.get(row["status"], 0) + row["members"]
    return found


def first_without_rule(census: DictRow) -> list[dict[str, Any]]:
    """Return who fails next for want of a rule, the first boundary first."""
    found = [
        {
            "member_id": each["member_id"],
            "plan": row["plan"],
            "renews_at": datetime.fromisoformat(each["renews_at"]),
        }
        for row in census["members"]
        # A census of an older release names nobody.
        for each in row.get("first_without_rule", ())
    ]
    found.sort(key=itemgetter("renews_at", "member_id"))
    return found[: store.MOST_NAMED]


def sum_announced(runs: Sequence[DictRow]) -> dict[str, int]:
    """Return how many passes ran for announced members, and what they counted."""
    announced = [run for run in runs if run["trigger"] == ANNOUNCED]
    counted = {name: sum(run[name] for run in announced) for name in SUMMED}
    return {"passes": len(announced)} | counted


def due_by_hour(census: DictRow, now: datetime) -> list[dict[str, Any]]:
    """Return how many members become due in each of the next 24 hours."""
    hours = [
        {"at": datetime.fromisoformat(row["at"]), "members": row["members"]}
        for row in census["due"]
    ]
    return [each for each in hours if now - HOUR < each["at"] < now + AHEAD]


def run_document(run: DictRow) -> dict[str, Any]:
    """Return the document of a pass."""
    return run | {"per_second": members_per_second(run)}


def plan_document(revision: Revision) -> dict[str, Any]:
    """Return the document of a plan's revision."""
    effective_from: date = revision.effective_from
    return {
        "code": revision.code,
        "effective_from": effective_from,
        "allowance": revision.allowance,
        "rollover_cap": revision.rollover_cap,
        "lifetime_months": revision.lifetime_months,
    }


def passes_by_hour(runs: Sequence[DictRow], now: datetime) -> list[dict[str, Any]]:
    """
    Return what the passes of each of the last 48 hours did.

    Announced passes are counted with the others, and by themselves.
    """
    first = now.replace(minute=0, second=0, microsecond=0) - SHOWN_FOR + HOUR
    hours: list[dict[str, Any]] = [
        {
            "at": first + HOUR * place,
            "passes": 0,
            "announced": 0,
            "renewed": 0,
            "failed": 0,
        }
        for place in range(SHOWN_FOR // HOUR)
    ]
    for run in runs:
        place = (run["started_at"] - first) // HOUR
        if 0 <= place < len(hours):
            hour = hours[place]
            hour["passes"] += 1
            hour["announced"] += run["trigger"] == ANNOUNCED
            hour["renewed"] += run["renewed"] + run["late"]
            hour["failed"] += run["failed"]
    return hours


def chart(hours: Sequence[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """
    Return a bar for each of *hours*: the heights of what is counted under *names*.

    They stand on each other, as parts of 100 of the highest bar.
    """
    highest = max((sum(each[name] for name in names) for each in hours), default=0)
    scale = max(highest, 1)
    return [
        each | {"heights": [100 * each[name] // scale for name in names]}
        for each in hours
    ]
