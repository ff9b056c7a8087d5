-- Record the balance of every imported member as their first entry.
--
-- Parameters: as_of timestamptz
-- Locks:      the new rows
INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, plan, occurred_at)
SELECT l.member_id, 1, 'opening', l.balance, l.balance, 1, l.member ->> 'plan'::text, %(as_of)s::timestamptz
FROM pg_temp.import_line AS l
WHERE l.reason IS NULL AND l.balance > 0;
