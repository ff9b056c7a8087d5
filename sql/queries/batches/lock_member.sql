-- Lock one member's row.
--
-- Parameters: member
-- Returns:    one row, or none when there is no such member
-- Locks:      the row, to the end of the transaction; waits up to lock_timeout
-- Index:      member_pkey
-- Reads:      1 row
SELECT m.member_id FROM renewer.member AS m WHERE m.member_id = %(member)s::text FOR UPDATE;
