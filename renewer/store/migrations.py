"""
Creates and upgrades the schema, and replaces every routine.

yoyo's own tables live inside schema `renewer`.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import tuple_row
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration

from renewer.rules.calendar import timezones
from renewer.store.cluster import (
    distribute_routines,
    distribute_tables,
    is_distributed,
    refuse_unfit,
)
from renewer.store.connection import Database, connect, scalar
from renewer.store.queries import find_comments, query, sql_folder
from renewer.store.schema import (
    find_applied_migrations,
    fingerprint,
    refuse_unknown,
    shipped_migrations,
)

MIGRATE_LOCK = 0x72656E65776572
"""Key of the advisory lock held around a migration ("renewer")."""

TELL_AFTER_S = 5.0
LOOK_AGAIN_S = 0.2


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """
    yoyo on a connection of ours.

    So any libpq address works, and a step and its mark are one transaction.
    """

    def __init__(self, connection: Connection[Any]) -> None:
        self._ours = connection
        super().__init__(
            DatabaseURI("postgresql", None, None, None, None, "", {}), "_yoyo_migration"
        )

    def connect(self, dburi: DatabaseURI) -> Connection[Any]:  # noqa: ARG002
        return self._ours

    def begin(self) -> None:
        super().begin()
        self._connection.execute(query("migrations/set_search_path"))

    def execute(self, sql: str, params: Any = None) -> Any:
        # yoyo finds its tables by the search path. Set for the session, it would stay
        # with a pooler's connection: each statement gets a transaction of its own.
        if self._in_transaction:
            return super().execute(sql, params)
        with self._connection.transaction():
            self._connection.execute(query("migrations/set_search_path"))
            return super().execute(sql, params)

    def apply_one(
        self, migration: Migration, force: bool = False, mark: bool = True
    ) -> None:
        # yoyo applies on one connection and marks on another; a kill between the two
        # would leave a migration that is applied, not marked, and fails ever after.
        with self.transaction():
            migration.process_steps(self, "apply", force=force)
            if mark:
                self.mark_one(migration, log=False)
                self.log_migration(migration, "apply")

    def get_log_data(
        self, migration: Migration | None = None, operation: str = "apply"
    ) -> dict[str, Any]:
        # A container's user often has no name, and yoyo asks for it.
        os.environ.setdefault("LOGNAME", "renewer")
        data: dict[str, Any] = super().get_log_data(migration, operation)
        return data


def migrate(
    conninfo: str,
    *,
    roles: bool = False,
    distributed: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """
    Bring the schema to this version and return the migrations that were applied.

    Routines are always replaced.

    With *roles*, and whenever they exist already, renewer's roles get their privileges.
    With *distributed*, and whenever they are already, members are spread over the nodes
    of a Citus cluster; SchemaError, and nothing is done, where that cannot be.

    Safe to repeat, to interrupt and to run twice at once: a second one waits for the
    first, and *tell* is told for whom.
    """
    with connect(conninfo) as locked, connect(conninfo) as conn, _locked(locked, tell):
        # Another migration may have spread them while we waited.
        distributed = distributed or is_distributed(conn)
        if distributed:
            refuse_unfit(conn)
        conn.execute(query("migrations/create_schema"))
        # yoyo reads its rows by position.
        conn.row_factory = tuple_row  # type: ignore[assignment]
        backend = _Backend(conn)
        backend.init_database()
        # We hold the advisory lock: a row here is what a killed process left behind.
        backend.break_lock()
        migrations = read_migrations(str(sql_folder() / "migrations"))
        for migration in migrations:
            # yoyo would take the name alone for what was applied.
            migration.hash = fingerprint(Path(migration.path))
        refuse_unknown(find_applied_migrations(conn), shipped_migrations())
        pending = backend.to_apply(migrations)
        backend.apply_migrations_only(pending)
        for migration in pending:
            _comment_on(conn, Path(migration.path))
        if distributed:
            distribute_tables(conn)
        backend.run_post_apply(migrations)
        if distributed:
            distribute_routines(conn)
        conn.execute(query("migrations/add_timezones"), {"names": sorted(timezones())})
        conn.execute(query("feed/adopt_server"))
        if roles or conn.execute(query("migrations/find_roles")).fetchone():
            grant_roles(conn)
    return [migration.id for migration in pending]


def _comment_on(conn: Database, migration: Path) -> None:
    """Give what *migration* created the comments that stand beside it in the file."""
    comments = "".join(find_comments(migration.read_text(encoding="utf-8")))
    if comments:
        conn.execute(comments.encode())


@contextmanager
def _locked(conn: Database, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the migration lock to the end of a transaction, however that comes."""
    key = {"key": MIGRATE_LOCK}
    tells_at = time.monotonic() + TELL_AFTER_S
    with conn.transaction():
        while not scalar(conn, "migrations/lock_migrations", key):
            # Any login can hold an advisory lock, also one that migrates nothing.
            if time.monotonic() > tells_at:
                tell(_tell_holder(conn))
                tells_at = inf
            time.sleep(LOOK_AGAIN_S)
        yield


def _tell_holder(conn: Database) -> str:
    """Return, for a person, whose migration is waited for."""
    found = conn.execute(
        query("migrations/find_lock_holder"), {"key": MIGRATE_LOCK}
    ).fetchone()
    holder = ""
    if found is not None:
        holder = f" (process {found['process']}, {found['login']})"
    return f"Another migration is under way{holder}: waiting for it to end."


def grant_roles(conn: Connection[Any]) -> None:
    """
    Create renewer's roles where they are missing and give each exactly its privileges.
    """
    conn.execute(sql.SQL((sql_folder() / "roles.sql").read_text(encoding="utf-8")))
