-- Export the ledger, or what was posted from a time on.
--
-- Parameters: since timestamptz, null for all
-- Returns:    the columns of ledger_entry, instants in ISO 8601; by member_id, then seq
-- Locks:      none
-- Index:      ledger_entry_pkey
SELECT e.member_id, e.seq, e.kind, e.amount, e.balance_after, e.lot, e.first_day, e.last_day, e.anchor_on, e.cycle_n, e.plan, e.reason,
       e.reference, pg_catalog.to_json(e.occurred_at) #>> '{}' AS occurred_at,
       pg_catalog.to_json(e.posted_at) #>> '{}' AS posted_at, e.run_id
FROM renewer.ledger_entry AS e
WHERE %(since)s::timestamptz IS NULL OR e.posted_at >= %(since)s::timestamptz
ORDER BY e.member_id, e.seq;
