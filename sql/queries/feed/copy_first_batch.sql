-- Write the first batch in its canonical form, as copy_batch writes the others, from the first byte on.
--
-- Parameters: target text, a snapshot; raised_by bigint
-- Returns:    as copy_batch
-- Locks:      none
-- Index:      ledger_entry_pkey
SELECT e.member_id, e.seq, e.kind, e.amount, e.balance_after, e.lot, e.first_day - date '1970-01-01' AS first_day,
       e.last_day - date '1970-01-01' AS last_day, e.anchor_on - date '1970-01-01' AS anchor_on, e.cycle_n, e.plan, e.reason, e.reference,
       (extract(epoch FROM e.occurred_at) * 1000000::numeric)::bigint AS occurred_at,
       (extract(epoch FROM e.posted_at) * 1000000::numeric)::bigint AS posted_at, e.run_id, e.xact
FROM renewer.ledger_entry AS e
WHERE renewer.is_seen(e.xact, %(target)s::text::pg_snapshot, %(raised_by)s::bigint)
ORDER BY e.member_id, e.seq;
