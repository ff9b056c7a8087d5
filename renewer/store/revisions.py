"""The revisions of plans on record."""

from collections.abc import Iterable

import orjson
from psycopg.types.json import Jsonb

from renewer.rules.plans import Revision
from renewer.store.connection import Database
from renewer.store.queries import query

FIELDS = tuple(Revision.__dataclass_fields__)


def find_plans(conn: Database) -> list[Revision]:
    """Return every revision of every plan, by code, then date."""
    rows = conn.execute(query("plans/find_plans"))
    return [Revision(*(row[name] for name in FIELDS)) for row in rows]


def add_plan(conn: Database, revision: Revision) -> bool:
    """Add *revision* unless its plan has one of that day; return whether it did."""
    parameters = {"revision": Jsonb(revision, dumps=orjson.dumps)}
    return conn.execute(query("plans/add_plan"), parameters).fetchone() is not None


def retry_failed(conn: Database, codes: Iterable[str]) -> int:
    """
    Make members that failed for lack of a plan in *codes* due now; return how many.
    """
    parameters = {"codes": list(codes)}
    return len(conn.execute(query("plans/retry_failed"), parameters).fetchall())
