"""
All that renewer asks of PostgreSQL: one function a statement of sql/queries, the connection first.

Connections are autocommit; a transaction is open only inside a visible `with conn.transaction()`.
"""

from renewer.store.connection import LEASE_CLASS, Database, connect, one_line, read_clock, snapshot, stream
from renewer.store.importing import find_bad_lines, import_staged, stage_members
from renewer.store.posting import (
    Failed,
    Refusal,
    fix_boundary,
    lease_shard,
    lock_member,
    post_batch,
    post_locked,
    purchase,
)
from renewer.store.reading import (
    After,
    add_plan,
    count_due,
    find_applied_migrations,
    find_due,
    find_due_shards,
    find_entries,
    find_members,
    find_plans,
    find_statement,
)
from renewer.store.runs import record_progress, start_run

__all__ = [
    "LEASE_CLASS",
    "After",
    "Database",
    "Failed",
    "Refusal",
    "add_plan",
    "connect",
    "count_due",
    "find_applied_migrations",
    "find_bad_lines",
    "find_due",
    "find_due_shards",
    "find_entries",
    "find_members",
    "find_plans",
    "find_statement",
    "fix_boundary",
    "import_staged",
    "lease_shard",
    "lock_member",
    "one_line",
    "post_batch",
    "post_locked",
    "purchase",
    "read_clock",
    "record_progress",
    "snapshot",
    "stage_members",
    "start_run",
    "stream",
]
