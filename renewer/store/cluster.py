"""Spreads the schema over the nodes of a Citus cluster, and asks one node of it."""

from typing import Any

from renewer.errors import SchemaError
from renewer.store.connection import Database
from renewer.store.queries import query, sql_folder

GROWING = ("12.1.12", "13.2.1", "13.2.2", "14.0.0", "14.0.1")
"""Versions of Citus whose sessions grow with each statement of a kept plan."""


def refuse_unfit(conn: Database) -> None:
    """SchemaError, with the way out, when members cannot be spread from here."""
    if not conn.has_citus:
        raise SchemaError(
            "the database does not have the extension citus, which spreads members "
            "over nodes: CREATE EXTENSION citus on every node, see deploy/citus.md"
        )
    found = conn.execute(query("distribution/find_cluster")).fetchone()
    assert found is not None
    wrong = _find_unfit(found)
    if wrong is not None:
        raise SchemaError(wrong)


def _find_unfit(found: dict[str, Any]) -> str | None:
    """Return what is wrong with a cluster, and the way out."""
    if not found["leads"]:
        return "this node is not the cluster's coordinator: migrate there"
    if found["nodes"] == 0:
        return "no node of the cluster may hold members: SELECT citus_add_node(…) first"
    if found["away"] is not None:
        return f"node {found['away']} of the cluster does not answer: wait for it"
    if found["open"] is not None:
        # A node is asked with the search path of the login, not with ours.
        return (
            f"every login may create functions in schema public of {found['open']}, "
            "and the job could run them there: REVOKE CREATE ON SCHEMA public FROM "
            "PUBLIC on every node"
        )
    if found["version"] in GROWING and found["unset"] is not None:
        return (
            f"Citus {found['version']} takes more memory with each statement of a kept "
            f"plan: set plan_cache_mode to force_custom_plan on {found['unset']} and "
            "every other node, or take another version"
        )
    return None


def distribute_tables(conn: Database) -> None:
    """Spread every table that is not yet; routines and views are to be made anew."""
    _run(conn, "tables")


def distribute_routines(conn: Database) -> None:
    """Let what is called for a member run where they are."""
    _run(conn, "routines")


def _run(conn: Database, name: str) -> None:
    path = sql_folder() / "distribution" / f"{name}.sql"
    with conn.transaction():
        conn.execute(path.read_text(encoding="utf-8").encode())
