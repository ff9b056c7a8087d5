"""Moves next boundaries after an update of the time zone database."""

from collections.abc import Callable

from renewer.errors import RenewerError
from renewer.rules.boundary import expected_boundary
from renewer.store.batches import fix_boundary
from renewer.store.connection import Database, snapshot, stream
from renewer.store.members import read_member
from renewer.store.watch import EVERYBODY


def fix_boundaries(conn: Database, connect: Callable[[], Database]) -> int:
    """
    Move every next boundary to where the calendar has it now; return how many moved.

    Posted boundaries stay. Members are read in one snapshot on *conn* and moved one by
    one on another connection.
    """
    fixed = 0
    with snapshot(conn), connect() as other:
        for row in stream(conn, "verification/find_calendars", EVERYBODY):
            member = read_member(row)
            try:
                renews_at = expected_boundary(member)
            except RenewerError:
                continue  # an unknown zone or a day outside the calendar: see `verify`
            if renews_at != member.renews_at:
                fixed += fix_boundary(
                    other, member.member_id, member.renews_at, renews_at
                )
    return fixed
