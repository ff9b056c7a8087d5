"""
All that renewer asks of PostgreSQL: one function a statement, the connection first.

Connections are autocommit; a transaction is open only inside a visible
`with conn.transaction()`.
"""

from renewer.store.batches import (
    Outcome,
    Unplanned,
    Unposted,
    describe_failure,
    describe_posting,
    fix_boundary,
    lease_bucket,
    lock_member,
    post_batch,
    post_locked,
    purchase,
)
from renewer.store.connection import (
    LEASE_CLASS,
    Database,
    connect,
    one_line,
    read_clock,
    snapshot,
    stream,
)
from renewer.store.history import (
    EVER,
    Calls,
    find_awards,
    find_calls,
    find_entries,
    find_last_boundary,
    find_movements,
    find_statement,
)
from renewer.store.members import (
    After,
    Window,
    count_due,
    count_members,
    find_due,
    find_due_among,
    find_due_buckets,
    find_members,
    find_repairable,
)
from renewer.store.notifications import (
    announce,
    listen,
)
from renewer.store.revisions import (
    add_plan,
    find_plans,
    retry_failed,
)
from renewer.store.runs import (
    Lag,
    RecordedFailure,
    count_failures,
    find_failures,
    find_lag,
    find_runs,
    park_member,
    record_progress,
    retry_member,
    start_run,
)
from renewer.store.staging import (
    find_bad_lines,
    import_staged,
    stage_members,
)

__all__ = [
    "EVER",
    "LEASE_CLASS",
    "After",
    "Calls",
    "Database",
    "Lag",
    "Outcome",
    "RecordedFailure",
    "Unplanned",
    "Unposted",
    "Window",
    "add_plan",
    "announce",
    "connect",
    "count_due",
    "count_failures",
    "count_members",
    "describe_failure",
    "describe_posting",
    "find_awards",
    "find_bad_lines",
    "find_calls",
    "find_due",
    "find_due_among",
    "find_due_buckets",
    "find_entries",
    "find_failures",
    "find_lag",
    "find_last_boundary",
    "find_members",
    "find_movements",
    "find_plans",
    "find_repairable",
    "find_runs",
    "find_statement",
    "fix_boundary",
    "import_staged",
    "lease_bucket",
    "listen",
    "lock_member",
    "one_line",
    "park_member",
    "post_batch",
    "post_locked",
    "purchase",
    "read_clock",
    "record_progress",
    "retry_failed",
    "retry_member",
    "snapshot",
    "stage_members",
    "start_run",
    "stream",
]
