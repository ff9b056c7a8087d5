-- Find how many members are due and since when the oldest of their boundaries waits.
--
-- Parameters: as_of timestamptz
-- Returns:    one row: due; oldest_boundary_at, null when no boundary waits
-- Locks:      none
-- Index:      member_due_idx
SELECT pg_catalog.count(*) AS due,
       pg_catalog.min(m.renews_at) FILTER (WHERE m.renews_at <= %(as_of)s::timestamptz) AS oldest_boundary_at
FROM renewer.member AS m
WHERE m.due_at <= %(as_of)s::timestamptz;
