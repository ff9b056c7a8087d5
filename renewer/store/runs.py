"""The record of passes."""

from datetime import datetime

from renewer.ledger import CatchUp
from renewer.queries import query
from renewer.store.connection import Database, scalar


def start_run(conn: Database, trigger: str, catch_up: CatchUp, as_of: datetime) -> int:
    """Record that a pass begins and return its number."""
    run_id: int = scalar(conn, "start_run", {"trigger": trigger, "catch_up": catch_up.value, "as_of": as_of})
    return run_id


def record_progress(
    conn: Database, run_id: int, counts: dict[str, int], *, finished: bool = False, stopped: bool = False
) -> None:
    """Record the *counts* of a pass so far; *finished* ends it."""
    conn.execute(query("record_progress"), {"run_id": run_id, "finished": finished, "stopped": stopped, **counts})
