-- Find members of a stretch of ids with Connects that may end by a time.
--
-- Parameters: after, until text: the stretch, until null to the end; ends_by timestamptz
-- Returns:    one row per member, as members/find_due_members; by member_id
-- Locks:      none
-- Index:      member_pkey; lot_open_idx; request_waiting_idx
-- The view is the one list of columns.
SELECT s.*
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
