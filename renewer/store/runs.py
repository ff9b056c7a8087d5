"""The record of passes."""

from datetime import datetime

from psycopg.rows import DictRow

from renewer.rules.ledger import CatchUp
from renewer.rules.value import value
from renewer.store.connection import Database, scalar, statement
from renewer.store.queries import query


def start_run(
    conn: Database,
    trigger: str,
    catch_up: CatchUp,
    as_of: datetime,
    reason: str | None = None,
    *,
    named: bool = False,
) -> int:
    """
    Record that a pass begins, and return the number of its run.

    *reason* is what an operator gave for it. *named* says that it posts an explicit
    list of members.
    """
    parameters = {
        "trigger": trigger,
        "catch_up": catch_up.value,
        "as_of": as_of,
        "reason": reason,
        "named": named,
    }
    run_id: int = scalar(conn, "runs/start_run", parameters)
    return run_id


def record_progress(
    conn: Database,
    run_id: int,
    counts: dict[str, int],
    *,
    finished: bool = False,
    stopped: bool = False,
) -> None:
    """Add *counts* to the row of a run, and show that it is alive or *finished*."""
    conn.execute(
        query("runs/record_progress"),
        {"run_id": run_id, "finished": finished, "stopped": stopped, **counts},
    )


def date_runs(conn: Database) -> None:
    """Date each pass by the time it acted at: the demo's clock is not the server's."""
    conn.execute(query("runs/date_runs"))


def find_runs(
    conn: Database, limit: int, before: int | None = None, run_id: int | None = None
) -> list[DictRow]:
    """
    Return the last *limit* passes, newest first.

    Of those that began before pass *before*, or the one that is *run_id*: what they
    counted, how long they took, and their state.
    """
    parameters = {"limit": limit, "before": before, "run": run_id}
    return conn.execute(query("runs/find_runs"), parameters).fetchall()


def find_causes(conn: Database, most: int) -> list[DictRow]:
    """Return why members fail, of up to *most*: each cause with members and times."""
    return conn.execute(statement(conn, "runs/find_causes"), {"most": most}).fetchall()


@value
class RecordedFailure:
    """
    Why a member's posting failed, how often, and when it is tried again.

    A parked one waits for a person.

    *plan* or *timezone* is what could not be resolved, when that is why.
    """

    member_id: str
    code: str
    message: str
    plan: str | None
    timezone: str | None
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    retry_at: datetime
    parked: bool


def find_failures(
    conn: Database, limit: int, member_id: str | None = None
) -> list[RecordedFailure]:
    """
    Return up to *limit* failures, of everybody or of one member.

    The next to be tried come first, parked ones last.
    """
    rows = conn.execute(
        statement(conn, "runs/find_failures"), {"limit": limit, "member": member_id}
    )
    return [RecordedFailure(**row) for row in rows]


def count_failures(conn: Database) -> int:
    """Return how many members have a failure on record."""
    failures: int = scalar(conn, "runs/count_failures", {})
    return failures


def retry_member(conn: Database, member_id: str) -> None:
    """Let a member who failed be tried again now, parked or not."""
    conn.execute(query("runs/retry_member"), {"member": member_id})


def park_member(conn: Database, member_id: str) -> None:
    """Set a member who failed aside."""
    conn.execute(query("runs/park_member"), {"member": member_id})
