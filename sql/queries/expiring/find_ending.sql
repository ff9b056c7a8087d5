-- Find members of a stretch of ids with Connects that may end by a time.
--
-- Parameters: after, until text: the stretch, until null to the end; ends_by timestamptz
-- Returns:    one row per member, the columns of renewer.member_state; by member_id
-- Locks:      none
-- Index:      member_pkey; lot_open_idx; request_waiting_idx
SELECT s.member_id, s.bucket, s.plan, s.anchor_on, s.timezone, s.status, s.balance, s.cycle_n, s.renews_at, s.last_seq,
       s.last_lot, s.version, s.attempts, s.first_boundary_on, s.last_boundary_at, s.cycle_ended_at, s.pending_plan,
       s.boundary_timezone, s.allowance_lot, s.changed, s.lots, s.requests, s.due_at
FROM renewer.member_state AS s
WHERE s.member_id > %(after)s::text
  AND (%(until)s::text IS NULL OR s.member_id <= %(until)s::text)
  AND s.member_id IN (
      SELECT m.member_id
      FROM renewer.member AS m
      WHERE m.member_id > %(after)s::text
        AND (%(until)s::text IS NULL OR m.member_id <= %(until)s::text)
        AND m.status::text <> 'closed' AND m.balance::integer > 0
        AND least(m.renews_at, m.lapses_at) <= %(ends_by)s::timestamptz)
ORDER BY s.member_id;
