"""Moves boundaries after an update of the zone database."""

from collections.abc import Callable
from datetime import datetime

from psycopg.rows import DictRow

from renewer import store
from renewer.errors import RenewerError
from renewer.rules import cycle


def fix_boundaries(conn: store.Database, connect: Callable[[], store.Database]) -> int:
    """
    Move every next boundary to where the calendar has it now; return how many moved.

    What was posted stays posted. Members are read in one snapshot on *conn* and moved
    one by one on another connection.
    """
    fixed = 0
    with store.snapshot(conn), connect() as other:
        for row in store.stream(conn, "verification/find_calendars", store.EVERYBODY):
            renews_at = _next_boundary(row)
            if renews_at is not None and renews_at != row["renews_at"]:
                member_id, found = row["member_id"], row["renews_at"]
                fixed += store.fix_boundary(other, member_id, found, renews_at)
    return fixed


def _next_boundary(row: DictRow) -> datetime | None:
    """Return a member's next boundary by the calendar; None when there is none."""
    zone = row["boundary_timezone"] or row["timezone"]
    try:
        return cycle.next_boundary(row["anchor_on"], zone, row["cycle_n"])
    except RenewerError:
        return None  # a zone or an anchor that is none: `verify` names it
