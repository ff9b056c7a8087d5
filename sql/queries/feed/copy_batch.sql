-- Write a batch in its canonical form, which a seal is the hash of: no setting of session or server changes a byte.
--
-- Parameters: base text, a snapshot; base_raised_by bigint; target text, raised_by bigint
-- Returns:    the columns of ledger_entry, days since 1970 and microseconds since 1970; by member_id, then seq
-- Locks:      none
-- Index:      ledger_entry_xact_idx
WITH batch AS MATERIALIZED (
    SELECT e.member_id, e.seq, e.kind, e.amount, e.balance_after, e.lot, e.first_day, e.last_day, e.anchor_on,
           e.cycle_n, e.plan, e.reason, e.reference, e.occurred_at, e.posted_at, e.run_id, e.xact
    FROM renewer.ledger_entry AS e
    WHERE e.xact >= pg_catalog.pg_snapshot_xmin(%(base)s::text::pg_snapshot)::text::bigint + %(base_raised_by)s::bigint
      AND e.xact < pg_catalog.pg_snapshot_xmax(%(target)s::text::pg_snapshot)::text::bigint + %(raised_by)s::bigint
      AND renewer.is_seen(e.xact, %(target)s::text::pg_snapshot, %(raised_by)s::bigint)
      AND NOT renewer.is_seen(e.xact, %(base)s::text::pg_snapshot, %(base_raised_by)s::bigint)
)
SELECT b.member_id, b.seq, b.kind, b.amount, b.balance_after, b.lot, b.first_day - date '1970-01-01' AS first_day,
       b.last_day - date '1970-01-01' AS last_day, b.anchor_on - date '1970-01-01' AS anchor_on, b.cycle_n, b.plan, b.reason, b.reference,
       (extract(epoch FROM b.occurred_at) * 1000000::numeric)::bigint AS occurred_at,
       (extract(epoch FROM b.posted_at) * 1000000::numeric)::bigint AS posted_at, b.run_id, b.xact
FROM batch AS b
ORDER BY b.member_id, b.seq;
