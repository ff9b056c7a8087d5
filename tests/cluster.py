"""A Citus cluster on which tests make databases: one of a name on each of its nodes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

TABLES = (
    "ledger_entry", "lot", "request", "failure", "member", "plan", "run", "worker",
    "verification", "census",
)  # fmt: skip
"""What a test may have written, the parts of a member first."""


class Cluster:
    """The nodes that the database of *conninfo*, on the coordinator, knows."""

    def __init__(self, conninfo: str) -> None:
        self.coordinator = conninfo
        with psycopg.connect(conninfo) as conn:
            self.nodes: list[tuple[str, int]] = conn.execute(
                "SELECT nodename, nodeport FROM pg_dist_node WHERE shouldhaveshards "
                "ORDER BY nodeid"
            ).fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def at(self, node: tuple[str, int], name: str) -> str:
        """Return the conninfo of database *name* on *node*."""
        host, port = node
        # A node is known by the name the others have for it.
        return make_conninfo(self.coordinator, host=host, port=port, dbname=name)

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make a database on every node; yield its conninfo on the coordinator."""
        addresses = [make_conninfo(self.coordinator, dbname=name)]
        addresses += [self.at(node, name) for node in self.nodes]
        for address in addresses:
            self._admin(address, "CREATE DATABASE {} TEMPLATE template0", name)
            with psycopg.connect(address, autocommit=True) as conn:
                conn.execute("CREATE EXTENSION citus")
        with psycopg.connect(addresses[0], autocommit=True) as conn:
            own = conninfo_to_dict(self.coordinator)
            conn.execute(
                "SELECT citus_set_coordinator_host(%s, %s)",
                [own.get("host", "localhost"), int(own.get("port", 5432))],
            )
            for host, port in self.nodes:
                conn.execute("SELECT citus_add_node(%s, %s)", [host, port])
        yield addresses[0]
        for address in addresses:
            self._admin(address, "DROP DATABASE {} WITH (FORCE)", name)

    def _admin(self, address: str, statement: Any, name: str) -> None:
        server = make_conninfo(address, dbname="postgres")
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(sql.Identifier(name)))

    def clear(self, conninfo: str) -> None:
        """Delete what a test has written, and what it has set for all sessions."""
        with psycopg.connect(conninfo, autocommit=True) as conn:
            name = sql.Identifier(conn.info.dbname)
            conn.execute(sql.SQL("ALTER DATABASE {} RESET ALL").format(name))
            for table in TABLES:
                conn.execute(
                    sql.SQL("DELETE FROM renewer.{}").format(sql.Identifier(table))
                )
