"""
`python -m tests.description` writes sql/schema.json, which `verify` compares with.

It describes what the migrations, routines, views and roles of this checkout make of an
empty database, on the embedded PostgreSQL or on RENEWER_TEST_DATABASE_URL.
"""

import os
import uuid
from contextlib import nullcontext
from dataclasses import asdict

import orjson
import psycopg
from psycopg.conninfo import make_conninfo

from renewer.host import embedded
from renewer.store import migrations
from renewer.store.catalog import read_catalog
from renewer.store.connection import Database, connect
from tests.support import ROOT

FILE = ROOT / "sql" / "schema.json"


def describe(conn: Database) -> bytes:
    """Return the description of a database that was migrated with roles."""
    with conn.transaction():
        found = asdict(read_catalog(conn))
    # The files of the routines say what their bodies are.
    del found["bodies"]
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(found, option=options)


def main() -> None:
    """Describe a new database and drop it."""
    given = os.environ.get("RENEWER_TEST_DATABASE_URL")
    name = f"renewer_described_{uuid.uuid4().hex}"
    with (
        nullcontext(given) if given else embedded.temporary() as server,
        psycopg.connect(server, autocommit=True) as admin,
    ):
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            made = make_conninfo(server, dbname=name)
            migrations.migrate(made, roles=True)
            with connect(made) as conn:
                FILE.write_bytes(describe(conn))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    main()
