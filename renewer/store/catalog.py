"""
What the schema is: as this release describes it, and as a database's catalog tells it.

The description, sql/schema.json, is written by `python -m tests.description`. The
bodies of routines are not in it: they are compared with the files that define them.
"""

import re
from functools import cache
from typing import Any

import orjson

from renewer.rules.value import value
from renewer.store.connection import Database
from renewer.store.queries import query, sql_folder

ROLES = ("renewer_worker", "renewer_app", "renewer_read")

BY_QUERY = {
    "relation": "catalog/find_relations",
    "column": "catalog/find_columns",
    "domain": "catalog/find_domains",
    "constraint": "catalog/find_constraints",
    "index": "catalog/find_indexes",
    "trigger": "catalog/find_triggers",
    "view": "catalog/find_views",
    "entry_kind": "catalog/find_entry_kinds",
}
"""Kinds of things that are a name and a definition, each with its query."""

ROUTINE = re.compile(
    r"^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) renewer\.(\w+)\("
    r"(?:(?!^CREATE).)*?^AS \$\$(.*?)\$\$;",
    re.DOTALL | re.MULTILINE,
)
QUALIFIER = re.compile(r"\b[a-z]\.(?=\w)")
"""The alias of a table before a column: one letter, by the custom of sql/views."""

Definitions = dict[str, str]
"""Definitions by kind and name, as in "column member.plan"."""


@value
class Catalog:
    """
    A schema: its things, the texts of its routines' bodies, and who may do what.

    *privileges* are by the name of the thing and, in it, by grantee: "owner", "PUBLIC"
    or the name of a role. One that may be handed on has a star.
    """

    things: Definitions
    bodies: Definitions
    privileges: dict[str, dict[str, str]]


def read_catalog(conn: Database) -> Catalog:
    """
    Return the schema of a database; needs an open transaction.

    Names are told in full, and quoted where they must be, whatever the session has set.
    """
    for name, setting in (
        ("search_path", "pg_catalog"),
        ("quote_all_identifiers", "off"),
    ):
        conn.execute(query("batches/set_local"), {"name": name, "value": setting})
    things = {}
    for kind, name in BY_QUERY.items():
        for row in conn.execute(query(name)):
            things[f"{kind} {row['name']}"] = _plain(kind, row["definition"])
    bodies = {}
    for row in conn.execute(query("catalog/find_routines")):
        things[f"routine {row['name']}"] = _plain("routine", row["definition"])
        bodies[row["name"]] = row["body"]
    for row in conn.execute(query("catalog/find_memberships"), {"names": [*ROLES]}):
        things[f"role {row['name']}"] = row["definition"]
    privileges: dict[str, dict[str, str]] = {}
    for row in conn.execute(query("catalog/find_privileges")):
        privileges.setdefault(row["name"], {})[row["grantee"]] = row["granted"]
    return Catalog(things, bodies, privileges)


def _plain(kind: str, definition: str) -> str:
    """
    Return *definition* in one line, as every version of PostgreSQL tells it.

    Up to 15 the columns of a view of one table are told with the table's alias.
    """
    plain = " ".join(definition.split())
    if kind == "view":
        plain = QUALIFIER.sub("", plain)
    return plain


@cache
def read_description() -> Catalog:
    """Return the schema of this release, with the bodies of its routines' files."""
    text = (sql_folder() / "schema.json").read_bytes()
    described: dict[str, Any] = orjson.loads(text)
    things, of_files = described["things"], _read_bodies()
    routines = [
        each.partition(" ")[2] for each in things if each.startswith("routine ")
    ]
    # The body of a function that is one expression is part of its definition.
    bodies = {name: of_files.get(name.partition("(")[0], "") for name in routines}
    return Catalog(things, bodies, described["privileges"])


def _read_bodies() -> Definitions:
    """
    Return the text of every routine's body by the routine's name, which none shares.

    Of several files that define one the last counts, as when they are run.
    """
    folder = sql_folder()
    files = [
        *sorted((folder / "migrations").glob("*.sql")),
        *sorted((folder / "routines").rglob("*.sql")),
    ]
    bodies: Definitions = {}
    for path in files:
        bodies |= dict(ROUTINE.findall(path.read_text(encoding="utf-8")))
    return bodies
