"""
Fills a database with as many members as a large marketplace has, past the job.

Each has three cycles behind them. It is a bad day: one in a hundred fails, one in a
hundred has a request waiting, one in five is due; `m1` has moved Connects 5,000 times.
"""

from datetime import timedelta

from renewer.store.connection import Database
from renewer.store.watch import take_census

MOVEMENTS = 5_000
STEPS = (
    """
    INSERT INTO renewer.member (
        member_id, plan, anchor_on, timezone, status, balance, cycle_n,
        cycle_first_day, cycle_last_day, first_boundary_on, last_boundary_at,
        cycle_ended_at, renews_at, retry_at,
        requested_at, allowance_lot, last_seq, last_lot, last_request)
    SELECT 'm' || n, 'basic', g.anchor_on, 'UTC', 'active', 60, 3,
           (g.anchor_on + make_interval(months => 3))::date,
           (g.anchor_on + make_interval(months => 4))::date - 1,
           (g.anchor_on + make_interval(months => 1))::date,
           (g.anchor_on + make_interval(months => 3))::timestamptz,
           (g.anchor_on + make_interval(months => 3))::timestamptz,
           (g.anchor_on + make_interval(months => 4))::timestamptz,
           CASE WHEN mod(n, 100) = 2 THEN now() + interval '1 hour' END,
           CASE WHEN mod(n, 100) = 3 THEN now() - interval '1 minute' END,
           3, 5, 3, CASE WHEN mod(n, 100) = 3 THEN 1 ELSE 0 END
    FROM pg_catalog.generate_series(1, %(members)s::integer) AS n
    CROSS JOIN LATERAL (
        SELECT (now() - make_interval(months => 4, days => -(mod(n, 28))))::date
               + CASE WHEN mod(n, 5) = 4 THEN -28 ELSE 1 END AS anchor_on) AS g
    """,
    """
    INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at)
    SELECT m.member_id, k, 'allowance', CASE k WHEN 3 THEN 60 ELSE 0 END,
           (m.anchor_on + make_interval(months => k))::timestamptz
    FROM renewer.member AS m
    CROSS JOIN pg_catalog.generate_series(1, 3) AS k
    """,
    """
    INSERT INTO renewer.ledger_entry (
        member_id, seq, kind, amount, balance_after, lot, first_day, last_day,
        anchor_on, cycle_n, plan, reason, occurred_at)
    SELECT m.member_id, e.seq, e.kind, e.amount, e.balance, e.cycle,
           CASE e.kind WHEN 'renewal' THEN
               (m.anchor_on + make_interval(months => e.cycle))::date END,
           CASE e.kind WHEN 'renewal' THEN
               (m.anchor_on + make_interval(months => e.cycle + 1))::date - 1 END,
           CASE e.kind WHEN 'renewal' THEN m.anchor_on END,
           CASE e.kind WHEN 'renewal' THEN e.cycle END,
           CASE e.kind WHEN 'renewal' THEN 'basic' END,
           CASE e.kind WHEN 'expiry' THEN 'not_carried' END,
           (m.anchor_on + make_interval(months => e.cycle))::timestamptz
    FROM renewer.member AS m
    CROSS JOIN (VALUES
        (1, 'renewal', 60, 60, 1),
        (2, 'expiry', -60, 0, 2), (3, 'renewal', 60, 60, 2),
        (4, 'expiry', -60, 0, 3), (5, 'renewal', 60, 60, 3)
    ) AS e (seq, kind, amount, balance, cycle)
    """,
    """
    INSERT INTO renewer.ledger_entry (
        member_id, seq, kind, amount, balance_after, lot, reference, occurred_at)
    SELECT 'm1', 5 + n, 'purchase', 1, 60 + n, 3, 'p' || n,
           now() - make_interval(secs => %(movements)s - n)
    FROM pg_catalog.generate_series(1, %(movements)s::integer) AS n
    """,
    "UPDATE renewer.member SET last_seq = 5 + %(movements)s WHERE member_id = 'm1'",
    """
    INSERT INTO renewer.failure (member_id, code, message, plan)
    SELECT m.member_id, 'UnknownPlan', 'unknown plan ''gold''', 'gold'
    FROM renewer.member AS m
    WHERE m.retry_at IS NOT NULL
    """,
    """
    INSERT INTO renewer.request (
        member_id, reference, number, kind, content, at, applied_at, balance)
    SELECT m.member_id, 'r', 1, 'change_plan',
           '{"plan": "plus", "effective": "next_cycle"}', now() - interval '1 minute',
           NULL, 60
    FROM renewer.member AS m
    WHERE m.last_request > 0
    """,
    """
    INSERT INTO renewer.run (
        trigger, catch_up, as_of, started_at, seen_at, finished_at, due, renewed)
    SELECT CASE mod(n, 3) WHEN 0 THEN 'announced' ELSE 'schedule' END, 'each', g.at,
           g.at, g.at, g.at, 100, 100
    FROM pg_catalog.generate_series(1, 20000) AS n
    CROSS JOIN LATERAL (
        SELECT now() - make_interval(mins => 30 * (20000 - n)) AS at) AS g
    """,
    """
    INSERT INTO renewer.verification (began_at, finished_at)
    SELECT now() - make_interval(days => n), now() - make_interval(days => n)
    FROM pg_catalog.generate_series(400, 1, -1) AS n
    """,
    "VACUUM ANALYZE",
)


def fill(conn: Database, members: int) -> None:
    """Bring *members* in, with all that a page could look at."""
    parameters = {"members": members, "movements": MOVEMENTS}
    for step in STEPS:
        conn.execute(step, parameters if "%(" in step else None)
    take_census(conn, timedelta(0))
