-- Find what of a member's bonuses, refunds and expiries is worth telling them.
--
-- Parameters: member; since timestamptz
-- Returns:    kind, amount, reason, reference, occurred_at, lot, source, remaining, expires_at; oldest first
-- Locks:      none
-- Index:      ledger_entry_pkey; lot_pkey
SELECT e.kind, e.amount, e.reason, e.reference, e.occurred_at, e.lot, l.source, l.remaining, l.expires_at
FROM renewer.ledger_entry AS e
JOIN renewer.lot AS l ON l.member_id = e.member_id AND l.number = e.lot
WHERE e.member_id = %(member)s::text
  AND e.kind IN ('bonus', 'refund', 'expiry')
  AND e.occurred_at >= %(since)s::timestamptz
ORDER BY e.seq;
