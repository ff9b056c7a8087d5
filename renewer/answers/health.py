"""Whether the job is well, in lines for a person; one look, and no member is read."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from renewer import store
from renewer.answers.wording import age, plural

OVERDUE = timedelta(hours=2, minutes=10)
"""Two passes were missed, and the third is ten minutes late."""
LATE = timedelta(hours=3)


def find_problems(conn: store.Database, now: datetime) -> Iterator[str]:
    """Yield what is not well with the job at *now*; a missing worker alone is well."""
    succeeded_at = store.find_passes(conn).succeeded_at
    if succeeded_at is None:
        yield "no pass has succeeded yet"
    elif now - succeeded_at > OVERDUE:
        yield f"the last pass that succeeded ended {age(now - succeeded_at)} ago"
    backlog = store.find_backlog(conn, now)
    oldest = backlog.oldest_due_at
    if oldest is not None and now - oldest > LATE:
        yield f"somebody has been due for {age(now - oldest)}"
    if backlog.retrying:
        yield f"{plural(backlog.retrying, 'member')} failing"
    if backlog.parked:
        yield f"{plural(backlog.parked, 'member')} parked"
    risky = store.find_risky_settings(conn)
    if risky:
        yield f"commits may be lost: {', '.join(risky)}"
    holder = store.find_holder(conn)
    if holder is not None:
        yield f"the feed stands still: {holder} ticked in a transaction it leaves open"
