"""
Whether a database has the schema of this version.

Apart from what migrates it, so that a pass does not load what it never uses.
"""

import psycopg
from psycopg.rows import tuple_row

from renewer.errors import SchemaError
from renewer.store.connection import Database
from renewer.store.queries import query, sql_folder

TOO_OLD = (
    "the database's schema is older than this renewer ({missing} is missing): "
    "run `renewer migrate`"
)
NO_SCHEMA = "the database has no renewer schema yet: run `renewer migrate`"
TOO_NEW = (
    "the database's schema is not of this renewer ({unknown} is unknown to it): "
    "upgrade renewer on this host, or name an empty database"
)


def find_applied_migrations(conn: Database) -> list[str]:
    """Return the migrations the schema has seen; none when there is no schema."""
    try:
        with conn.cursor(row_factory=tuple_row) as cur:
            rows = cur.execute(query("migrations/find_applied_migrations")).fetchall()
        return [migration_id for (migration_id,) in rows]
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []


def check_schema(conn: Database) -> None:
    """
    Raise SchemaError, saying what to do, unless the schema is exactly this version's.
    """
    applied = find_applied_migrations(conn)
    if not applied:
        raise SchemaError(NO_SCHEMA)
    # By the names of their files: yoyo, which applies them, takes long to load.
    shipped = {path.stem for path in (sql_folder() / "migrations").glob("0*.sql")}
    refuse_unknown(applied, shipped)
    missing = sorted(shipped - set(applied))
    if missing:
        raise SchemaError(TOO_OLD.format(missing=missing[0]))


def refuse_unknown(applied: list[str], shipped: set[str]) -> None:
    """Raise SchemaError when the schema has seen what this version did not ship."""
    unknown = sorted(set(applied) - shipped)
    if unknown:
        raise SchemaError(TOO_NEW.format(unknown=unknown[-1]))
