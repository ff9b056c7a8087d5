-- Find members by name.
--
-- Parameters: members text[]
-- Returns:    as find_due_members
-- Locks:      none; the posting checks the version
-- Index:      member_pkey; lot_open_idx, lot_pkey; request_waiting_idx; failure_pkey
-- Reads:      10 rows, 10 for each returned
SELECT s.member_id, s.bucket, s.plan, s.anchor_on, s.timezone, s.status, s.balance, s.cycle_n, s.renews_at, s.last_seq,
       s.last_lot, s.version, s.attempts, s.first_boundary_on, s.last_boundary_at, s.cycle_ended_at, s.pending_plan,
       s.boundary_timezone, s.allowance_lot, s.changed, s.lots, s.requests, s.due_at
FROM renewer.member_state AS s
WHERE s.member_id = ANY (%(members)s::text[])
ORDER BY s.member_id;
