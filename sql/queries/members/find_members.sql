-- Find members by their ids.
--
-- Parameters: members text[]
-- Returns:    as find_due_members
-- Locks:      none; the posting checks the version
-- Index:      member_pkey; lot_open_idx, lot_pkey; request_waiting_idx; failure_pkey
-- Reads:      10 rows, 10 for each returned
-- The view is the one list of columns.
SELECT s.*
FROM renewer.member_state AS s
WHERE s.member_id = ANY (%(members)s::text[])
ORDER BY s.member_id;
