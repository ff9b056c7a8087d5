-- Find a member's statement, oldest line first.
--
-- Parameters: member; after, the seq of the last line not wanted, before, that of the
--             next one not wanted; since, until timestamptz
-- Returns:    seq, occurred_at, kind, what, amount, balance_after, reference
-- Locks:      none
-- Index:      ledger_entry_pkey
-- Reads:      120 rows, 5 for each returned: the kind of the entry and its words are looked up
SELECT s.seq, s.occurred_at, s.kind, s.what, s.amount, s.balance_after, s.reference
FROM renewer.statement AS s
WHERE s.member_id = %(member)s::text AND s.seq > %(after)s::bigint AND s.seq < %(before)s::bigint
  AND s.occurred_at::timestamptz >= %(since)s::timestamptz AND s.occurred_at::timestamptz <= %(until)s::timestamptz
ORDER BY s.seq;
