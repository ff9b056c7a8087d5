-- Find how many members are due and since when the oldest boundary waits, those of members who failed included.
--
-- Parameters: as_of timestamptz
-- Returns:    one row: due; oldest_boundary_at, null when no boundary waits
-- Locks:      none
-- Index:      member_due_idx; member_failing_idx
-- Reads:      10 rows, 1 for each due, 1 for each failing; 1 for each member on a day on which one in ten or more is due
SELECT d.due, least(d.oldest_boundary_at, f.oldest_boundary_at) AS oldest_boundary_at
FROM (
    SELECT pg_catalog.count(*) AS due,
           pg_catalog.min(m.renews_at) FILTER (WHERE m.renews_at::timestamptz <= %(as_of)s::timestamptz) AS oldest_boundary_at
    FROM renewer.member AS m
    WHERE m.due_at <= %(as_of)s::timestamptz) AS d
CROSS JOIN (
    SELECT pg_catalog.min(m.renews_at) AS oldest_boundary_at
    FROM renewer.member AS m
    WHERE (m.retry_at IS NOT NULL OR m.parked) AND m.status::text IN ('active', 'suspended')
      AND m.renews_at::timestamptz <= %(as_of)s::timestamptz) AS f;
