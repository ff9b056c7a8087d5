-- Add Connects a member bought.
--
-- Parameters: member, amount, reference, at timestamptz
-- Returns:    as renewer.purchase
-- Locks:      as renewer.purchase
SELECT p.balance, p.first_seq, p.last_seq, p.repeated
FROM renewer.purchase(%(member)s::text, %(amount)s::integer, %(reference)s::text, NULL, %(at)s::timestamptz) AS p;
