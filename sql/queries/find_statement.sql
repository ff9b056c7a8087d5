-- Find a member's statement, oldest line first.
--
-- Parameters: member; after, the seq of the last line not wanted
-- Returns:    occurred_at, what, amount, balance_after
-- Locks:      none
-- Index:      ledger_entry_pkey
SELECT s.occurred_at, s.what, s.amount, s.balance_after
FROM renewer.statement AS s
WHERE s.member_id = %(member)s::text AND s.seq > %(after)s::bigint
ORDER BY s.seq;
