"""
Whether a database has the schema of this version.

Apart from what migrates it, so that a pass does not load what it never uses.
"""

import hashlib
from pathlib import Path

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
OTHER_TEXT = (
    "the database was made by another checkout of renewer, before its first release "
    "({changed} differs): nothing was done; make a new database, `renewer migrate` it "
    "and import the members"
)
TOO_NEW = (
    "the database's schema is not of this renewer ({unknown} is unknown to it): "
    "upgrade renewer on this host, or name an empty database"
)


def find_applied_migrations(conn: Database) -> dict[str, str]:
    """
    Return the fingerprint of each migration that the schema has seen.

    Empty when there is no schema.
    """
    try:
        with conn.cursor(row_factory=tuple_row) as cur:
            return dict(cur.execute(query("migrations/find_applied_migrations")))
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return {}


def shipped_migrations() -> dict[str, str]:
    """Return the fingerprint of each migration of this version."""
    # By the names of their files: yoyo, which applies them, takes long to load.
    files = (sql_folder() / "migrations").glob("0*.sql")
    return {path.stem: fingerprint(path) for path in files}


def fingerprint(path: Path) -> str:
    """
    Return what tells one text of a migration from another.

    Until the first release the schema is edited in place.
    """
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_schema(conn: Database) -> None:
    """
    Raise SchemaError, saying what to do, unless the schema is exactly this version's.
    """
    applied, shipped = find_applied_migrations(conn), shipped_migrations()
    if not applied:
        raise SchemaError(NO_SCHEMA)
    refuse_unknown(applied, shipped)
    missing = sorted(shipped.keys() - applied.keys())
    if missing:
        raise SchemaError(TOO_OLD.format(missing=missing[0]))


def refuse_unknown(applied: dict[str, str], shipped: dict[str, str]) -> None:
    """Raise SchemaError when the schema has seen what this version did not ship."""
    for name in sorted(applied.keys() & shipped.keys()):
        if applied[name] != shipped[name]:
            raise SchemaError(OTHER_TEXT.format(changed=name))
    unknown = sorted(applied.keys() - shipped.keys())
    if unknown:
        raise SchemaError(TOO_NEW.format(unknown=unknown[-1]))
