-- Find what of a member's bonuses, refunds and adjustments is worth telling them.
--
-- Parameters: member; after, the seq of the last renewal: refunds and adjustments behind it; since timestamptz, of bonuses
-- Returns:    kind, amount, reference, occurred_at, lot, source, remaining, expires_at; oldest first
-- Locks:      none
-- Index:      ledger_entry_pkey; lot_pkey
-- Reads:      10 rows, 1 for each entry
SELECT e.kind, e.amount, e.reference, e.occurred_at, e.lot, l.source, l.remaining, l.expires_at
FROM renewer.ledger_entry AS e
JOIN renewer.lot AS l ON l.member_id = e.member_id AND l.number = e.lot
WHERE e.member_id = %(member)s::text
  AND ((e.kind::text = 'bonus' AND e.occurred_at::timestamptz >= %(since)s::timestamptz)
       OR (e.kind::text IN ('refund', 'adjustment') AND e.seq > %(after)s::bigint))
ORDER BY e.seq;
