-- Export the lots, or those that an entry posted from a time on has moved.
--
-- Parameters: since timestamptz, null for all
-- Returns:    the columns of lot, instants in ISO 8601; by member_id, then number
-- Locks:      none
-- Index:      lot_pkey; ledger_entry_pkey
SELECT l.member_id, l.number, l.source, l.remaining, pg_catalog.to_json(l.issued_at) #>> '{}' AS issued_at,
       pg_catalog.to_json(l.expires_at) #>> '{}' AS expires_at
FROM renewer.lot AS l
WHERE %(since)s::timestamptz IS NULL
   OR EXISTS (
       SELECT FROM renewer.ledger_entry AS e
       WHERE e.member_id = l.member_id AND e.lot = l.number AND e.posted_at >= %(since)s::timestamptz)
ORDER BY l.member_id, l.number;
