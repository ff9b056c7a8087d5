"""
Members spread over the nodes of a Citus cluster: the layout, and how nodes are asked.

Statements whose form for one server a cluster refuses have a second form in
sql/queries/cluster, which `connection.statement` chooses.
"""

from datetime import datetime
from typing import Any

import orjson
import psycopg
from psycopg.rows import DictRow, scalar_row

from renewer.errors import NodeAway, SchemaError
from renewer.store.connection import (
    Database,
    is_server_trouble,
    scalar,
    statement,
)
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
    found = conn.execute(query("cluster/find_cluster")).fetchone()
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
    path = sql_folder() / "cluster" / f"{name}.sql"
    with conn.transaction():
        conn.execute(path.read_text(encoding="utf-8").encode())


def is_distributed(conn: Database) -> bool:
    """Whether members are spread over nodes by now."""
    return conn.has_citus and bool(scalar(conn, "cluster/is_distributed", {}))


def is_node_away(conn: Database, error: Exception) -> bool:
    """
    Whether *error* is that of one node of a cluster, and *conn* goes on with others.

    The coordinator passes on how its own connection to the node has ended.
    """
    if conn.closed or not conn.distributed:
        return False
    # Without SQLSTATE it is this connection's own trouble.
    tells = isinstance(error, psycopg.Error) and error.sqlstate is not None
    return tells and is_server_trouble(error)


def literal(conn: Database, name: str, parameters: dict[str, Any]) -> Any:
    """Return what scalar does; the values are written into the statement's text."""
    with psycopg.ClientCursor(conn, row_factory=scalar_row) as cur:
        cur.execute(statement(conn, name), parameters)
        return cur.fetchone() if cur.description else None


def find_due_buckets_there(
    conn: Database, parameters: dict[str, Any]
) -> tuple[list[int], list[str]]:
    """Return the buckets that hold a due member, and the nodes that do not answer."""
    buckets: list[int] = []
    away = []
    for row in conn.execute(query("cluster/find_due_buckets_there"), parameters):
        if row["success"]:
            buckets += orjson.loads(row["result"] or "[]")
        else:
            away.append(_tell_away(row))
    return sorted(buckets), away


def find_due_there(
    conn: Database, parameters: dict[str, Any]
) -> list[tuple[str, datetime]]:
    """
    Return id and due time of the next due members of a bucket, longest due first.

    Only the node that holds the bucket is asked; NodeAway when it does not answer.
    """
    row = conn.execute(query("cluster/find_due_there"), parameters).fetchone()
    assert row is not None
    if not row["success"]:
        raise NodeAway(_tell_away(row))
    due = orjson.loads(row["result"] or "[]")
    return [(member_id, datetime.fromisoformat(at)) for member_id, at in due]


def _tell_away(row: DictRow) -> str:
    return f"node {row['node']} of the cluster does not answer"


def set_lock_timeout(conn: Database, timeout: str) -> None:
    """Set the lock timeout of the transaction on every node that takes part in it."""
    # A node is told of what SET sets, and of nothing else.
    local = {"name": "citus.propagate_set_commands", "value": "local"}
    conn.execute(query("batches/set_local"), local)
    literal(conn, "cluster/set_lock_timeout", {"timeout": timeout})
