"""The revisions of plans on record."""

from collections.abc import Iterable

from renewer.rules.plans import Revision
from renewer.store.connection import Database
from renewer.store.queries import query


def find_plans(conn: Database) -> list[Revision]:
    """Return every revision of every plan, by code, then date."""
    return [Revision(**row) for row in conn.execute(query("plans/find_plans"))]


def add_plan(conn: Database, revision: Revision) -> bool:
    """Add *revision* unless its plan has one of that day; return whether it did."""
    parameters = {
        "code": revision.code,
        "effective_from": revision.effective_from,
        "allowance": revision.allowance,
        "rollover_cap": revision.rollover_cap,
        "lifetime_months": revision.lifetime_months,
    }
    return conn.execute(query("plans/add_plan"), parameters).fetchone() is not None


def retry_failed(conn: Database, codes: Iterable[str]) -> int:
    """
    Let members who failed for want of one of *codes* be tried now; return how many.
    """
    parameters = {"codes": list(codes)}
    return len(conn.execute(query("plans/retry_failed"), parameters).fetchall())
