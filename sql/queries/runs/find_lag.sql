-- Find how many members are due and since when the oldest boundary waits, those of members who failed included.
--
-- Parameters: as_of timestamptz
-- Returns:    one row: due; oldest_boundary_at, null when no boundary waits
-- Locks:      none
-- Index:      member_due_idx, one probe a bucket (before 18 it is not used without one); member_failing_idx
-- Reads:      10 rows, 1 for each due, 1 for each failing; 1 for each member on a day on which one in ten or more is due
SELECT d.due, least(d.oldest_boundary_at, f.oldest_boundary_at) AS oldest_boundary_at
FROM (
    SELECT pg_catalog.count(*) AS due,
           pg_catalog.min(m.renews_at) FILTER (WHERE m.renews_at::timestamptz <= %(as_of)s::timestamptz) AS oldest_boundary_at
    FROM renewer.member AS m
    WHERE m.bucket = ANY ('{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,
        32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63}'::smallint[])
      AND m.due_at <= %(as_of)s::timestamptz) AS d
CROSS JOIN (
    SELECT pg_catalog.min(m.renews_at) AS oldest_boundary_at
    FROM renewer.member AS m
    WHERE (m.retry_at IS NOT NULL OR m.parked) AND m.status::text IN ('active', 'suspended')
      AND m.renews_at::timestamptz <= %(as_of)s::timestamptz) AS f;
