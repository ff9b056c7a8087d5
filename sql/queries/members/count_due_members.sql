-- Count the members that are due.
--
-- Parameters: as_of timestamptz, members text[] (null: all)
-- Returns:    one row, due
-- Locks:      none
-- Index:      member_due_idx, or member_pkey for named members
-- Reads:      10 rows, 1 for each due
SELECT pg_catalog.count(*) AS due
FROM renewer.member AS m
WHERE m.due_at <= %(as_of)s::timestamptz
  AND (%(members)s::text[] IS NULL OR m.member_id = ANY (%(members)s::text[]));
