"""
An import: lines are staged, checked against what is on record, then become members.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from renewer.store.connection import LEASE_CLASS, Database, scalar
from renewer.store.queries import query

PATIENCE_S = 60.0
"""How long another import is waited for."""
LOOK_AGAIN_S = 0.2


def stage_members(
    conn: Database, rows: Iterable[tuple[object, ...]], progress: Callable[[int], None]
) -> None:
    """
    Copy *rows* (columns of create_staging) into a table of this transaction.

    Then mark those that repeat a member.
    """
    _wait_for_others(conn)
    conn.execute(query("staging/create_staging"))
    with conn.cursor() as cur, cur.copy(query("staging/copy_staging")) as copy:
        for row in rows:
            copy.write_row(row)
            progress(1)
    conn.execute(query("staging/mark_repeated_lines"))
    conn.execute(query("staging/mark_known_members"))


def _wait_for_others(conn: Database) -> None:
    """
    Wait while another import is under way, but not for ever.

    Any login can hold an advisory lock: it saves an error, it is no guard. Of two
    imports of one member the key refuses the second.
    """
    gives_up_at = time.monotonic() + PATIENCE_S
    while not scalar(conn, "staging/lock_import", {"lease_class": LEASE_CLASS}):
        if time.monotonic() > gives_up_at:
            return
        time.sleep(LOOK_AGAIN_S)


def find_bad_lines(conn: Database) -> Iterator[tuple[int, str]]:
    """Yield number and reason of each line that cannot be imported, in order."""
    with conn.cursor("bad_lines") as cur:
        for row in cur.execute(query("staging/find_bad_lines")):
            yield row["line"], row["reason"]


def import_staged(conn: Database, as_of: datetime) -> int:
    """
    Turn every good staged line into a member with an opening lot and entry.

    Return how many.
    """
    imported = conn.execute(query("staging/import_members")).rowcount
    conn.execute(query("staging/import_lots"), {"as_of": as_of})
    conn.execute(query("staging/import_openings"), {"as_of": as_of})
    return imported
