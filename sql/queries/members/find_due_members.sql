-- Find due members of one bucket, longest due first.
--
-- Parameters: bucket smallint, as_of timestamptz, retry_until timestamptz (members to be retried later are left out),
--             after_due_at timestamptz and after_member_id (where the last batch ended), limit integer
-- Returns:    one row per member, the columns of renewer.member_state
-- Locks:      none; the posting checks the version
-- Index:      member_due_idx; lot_open_idx, lot_pkey; request_waiting_idx; failure_pkey
-- Reads:      10 rows, 10 for each returned
-- The view is the one list of columns.
SELECT s.*
FROM renewer.member_state AS s
WHERE s.bucket = %(bucket)s::smallint
  AND s.due_at <= %(as_of)s::timestamptz
  AND (s.retry_at IS NULL OR s.retry_at <= %(retry_until)s::timestamptz)
  AND (s.due_at, s.member_id) > (%(after_due_at)s::timestamptz, %(after_member_id)s::text)
ORDER BY s.due_at, s.member_id
LIMIT %(limit)s::integer;
