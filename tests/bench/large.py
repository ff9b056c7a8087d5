"""
A marketplace made in the server, of as many members as the largest have.

Their boundaries are spread over the hours from START, so many of them in each hour;
each has a past of seven cycles that their ledger tells or, in the beginning, not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from psycopg import sql

from renewer.jobs import plan_files
from renewer.store import migrations
from renewer.store.connection import Database, connect
from tests.bench.server import Server
from tests.support import utc

START = utc("2026-04-02T00:00")
PAST_ENTRIES = 10
HOURS = """
    CREATE TABLE public.hour AS
    SELECT n AS hour,
           ('2026-04-02'::date + n / 24 + CASE WHEN mod(n, 24) > 12 THEN 1 ELSE 0 END)
               AS on_day,
           CASE WHEN mod(n, 24) = 0 THEN 'UTC'
                WHEN mod(n, 24) <= 12 THEN 'Etc/GMT+' || mod(n, 24)
                ELSE 'Etc/GMT-' || 24 - mod(n, 24) END AS timezone
    FROM generate_series(0, %(hours)s::integer - 1) AS n
"""
"""In hour n midnight strikes in one zone of fixed offset, on a day of April."""

MEMBERS = """
    INSERT INTO renewer.member (
        member_id, plan, anchor_on, timezone, status, balance, cycle_n,
        cycle_first_day, cycle_last_day, first_boundary_on, last_boundary_at,
        cycle_ended_at, renews_at, allowance_lot,
        last_seq, last_lot)
    SELECT 'm' || lpad(n::text, 8, '0'), 'basic', h.on_day - interval '7 months',
           h.timezone, 'active', 60, 6, (h.on_day - interval '1 month')::date,
           h.on_day::date - 1, (h.on_day - interval '6 months')::date,
           (h.on_day - interval '1 month') AT TIME ZONE h.timezone,
           (h.on_day - interval '1 month') AT TIME ZONE h.timezone,
           h.on_day::timestamp AT TIME ZONE h.timezone, 6, 11, 6
    FROM generate_series(0, %(members)s::integer - 1) AS n
    JOIN public.hour AS h ON h.hour = mod(n, %(hours)s::integer)
    ORDER BY n
"""
LOTS = """
    INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at)
    SELECT m.member_id, k, 'allowance', CASE k WHEN 6 THEN 60 ELSE 0 END,
           (m.anchor_on + make_interval(months => k)) AT TIME ZONE m.timezone
    FROM renewer.member AS m
    CROSS JOIN generate_series(%(first)s::integer, %(last)s::integer) AS k
    ORDER BY m.member_id, k
"""
ENTRIES = """
    INSERT INTO renewer.ledger_entry (
        member_id, seq, kind, amount, balance_after, lot, first_day, last_day,
        anchor_on, cycle_n, plan, reason, occurred_at)
    SELECT m.member_id, e.seq, e.kind, e.amount, e.balance, e.lot,
           CASE e.kind WHEN 'renewal' THEN
               (m.anchor_on + make_interval(months => e.cycle))::date END,
           CASE e.kind WHEN 'renewal' THEN
               (m.anchor_on + make_interval(months => e.cycle + 1))::date - 1 END,
           CASE e.kind WHEN 'renewal' THEN m.anchor_on END,
           CASE e.kind WHEN 'renewal' THEN e.cycle END,
           CASE e.kind WHEN 'renewal' THEN 'basic' END,
           CASE e.kind WHEN 'expiry' THEN 'not_carried' END,
           (m.anchor_on + make_interval(months => e.cycle)) AT TIME ZONE m.timezone
    FROM renewer.member AS m
    CROSS JOIN (
        SELECT 2 * k - 1 AS seq, 'renewal' AS kind, 60 AS amount, 60 AS balance,
               k AS lot, k AS cycle
        FROM generate_series(1, 6) AS k
        UNION ALL
        SELECT 2 * k, 'expiry', -60, 0, k, k + 1 FROM generate_series(1, 5) AS k) AS e
    WHERE e.seq BETWEEN %(first)s::integer AND %(last)s::integer
    ORDER BY m.member_id, e.seq
"""


def hour(number: int) -> datetime:
    """Return when the boundaries of hour *number* are."""
    return START + timedelta(hours=number)


def next_hour(conninfo: str) -> int:
    """Return the first hour whose boundaries are still to be posted."""
    with connect(conninfo) as conn:
        row = conn.execute(
            "SELECT min(renews_at) AS first FROM renewer.member "
            "WHERE member_id LIKE 'm%'"
        ).fetchone()
    assert row is not None
    return round((row["first"] - START) / timedelta(hours=1))


def build(server: Server, members: int, due: int, name: str = "") -> str:
    """
    Make a database of *members* unless it is there, and return its address.

    *due* of them renew in each hour. Their ledger knows the present cycle alone.
    """
    name = name or f"renewer_{members}_{due}"
    if server.has(name):
        return keep(server, name)
    making = f"{name}_half"
    conninfo = server.make(making)
    migrations.migrate(conninfo, roles=True)
    with connect(conninfo) as conn:
        plan_files.record_plans(conn, plan_files.read_plans("upwork-2016"))
        conn.execute("SET synchronous_commit = off")
        given = {"members": members, "hours": members // due}
        conn.execute(HOURS, given)
        with _indexed_last(conn, "member"):
            conn.execute(MEMBERS, given)
        with _indexed_last(conn, "lot"):
            conn.execute(LOTS, {"first": 6, "last": 6})
        with _indexed_last(conn, "ledger_entry"):
            conn.execute(ENTRIES, {"first": 11, "last": 11})
        conn.execute("VACUUM ANALYZE")
        conn.execute("SELECT renewer.tick()")
    server.rename(making, name)
    return keep(server, name)


def build_past(server: Server, members: int, due: int) -> str:
    """Make the same with ten entries before for each, and return its address."""
    name = f"renewer_{members}_{due}"
    if server.has(f"{name}_past"):
        return keep(server, f"{name}_past")
    build(server, members, due)
    making = f"{name}_past_half"
    conninfo = server.make(making, name)
    with connect(conninfo) as conn:
        conn.execute("SET synchronous_commit = off")
        with _indexed_last(conn, "lot"):
            conn.execute(LOTS, {"first": 1, "last": 5})
        with _indexed_last(conn, "ledger_entry"):
            conn.execute(ENTRIES, {"first": 1, "last": PAST_ENTRIES})
        conn.execute("VACUUM ANALYZE")
    server.rename(making, f"{name}_past")
    return keep(server, f"{name}_past")


def keep(server: Server, name: str) -> str:
    """Bring a database to the schema of today, views included; return its address."""
    conninfo = server.conninfo(name)
    migrations.migrate(conninfo, roles=True)
    return conninfo


@contextmanager
def _indexed_last(conn: Database, table: str) -> Iterator[None]:
    """Build the indexes of *table* once it is filled, which is faster by far."""
    constraints = conn.execute(
        "SELECT conname AS name, pg_catalog.pg_get_constraintdef(oid) AS text "
        "FROM pg_catalog.pg_constraint WHERE contype = 'p' "
        "AND conrelid = ('renewer.' || %s)::regclass",
        [table],
    ).fetchall()
    indexes = conn.execute(
        "SELECT indexname AS name, indexdef AS text FROM pg_catalog.pg_indexes "
        "WHERE schemaname = 'renewer' AND tablename = %s AND indexname <> ALL(%s)",
        [table, [each["name"] for each in constraints]],
    ).fetchall()
    altered = sql.SQL("ALTER TABLE renewer.{}").format(sql.Identifier(table))
    for each in constraints:
        # A view that groups by the key goes with it; migrate makes it anew.
        conn.execute(altered + _named(" DROP CONSTRAINT {} CASCADE", each["name"]))
    for each in indexes:
        conn.execute(_named("DROP INDEX renewer.{}", each["name"]))
    yield
    conn.execute("SET maintenance_work_mem = '1GB'")
    for each in constraints:
        added = _named(" ADD CONSTRAINT {} ", each["name"])
        conn.execute(altered + added + sql.SQL(each["text"]))
    for each in indexes:
        conn.execute(sql.SQL(each["text"]))


def _named(text: str, name: str) -> sql.Composed:
    return sql.SQL(text).format(sql.Identifier(name))  # type: ignore[arg-type]
