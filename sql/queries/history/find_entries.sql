-- Find a member's entries, oldest first.
--
-- Parameters: member; since, until timestamptz
-- Returns:    one row per entry, with the source of the lot it moved
-- Locks:      none
-- Index:      ledger_entry_pkey; lot_pkey
SELECT e.seq, e.kind, e.amount, e.balance_after, e.lot, l.source, l.expires_at, e.first_day, e.plan, e.reason,
       e.reference, e.occurred_at, e.posted_at, e.run_id
FROM renewer.ledger_entry AS e
LEFT JOIN renewer.lot AS l ON l.member_id = e.member_id AND l.number = e.lot
WHERE e.member_id = %(member)s::text
  AND e.occurred_at >= %(since)s::timestamptz AND e.occurred_at <= %(until)s::timestamptz
ORDER BY e.seq;
