-- Find since when the member waits who waits longest, and how many failed.
--
-- Parameters: as_of timestamptz, most integer: where counting stops
-- Returns:    one row: oldest_due_at, null when nobody waits; retrying and parked, members who failed
-- Locks:      none
-- Index:      member_due_idx, one probe a bucket; member_failing_idx
-- Reads:      100 rows, 1 for each failing
SELECT least(d.oldest_due_at, f.oldest_due_at) AS oldest_due_at, f.retrying, f.parked
FROM (
    -- A time no calendar holds is told as the first day of all.
    SELECT pg_catalog.min(greatest(o.due_at, '0001-01-02 00:00:00+00')) AS oldest_due_at
    FROM pg_catalog.generate_series(0, 63) AS b (bucket)
    CROSS JOIN LATERAL (
        SELECT m.due_at
        FROM renewer.member AS m
        WHERE m.bucket = b.bucket::smallint AND m.due_at <= %(as_of)s::timestamptz
        ORDER BY m.due_at, m.member_id
        LIMIT 1) AS o) AS d
CROSS JOIN (
    SELECT pg_catalog.min(greatest(w.due_at, '0001-01-02 00:00:00+00'))
               FILTER (WHERE w.due_at <= %(as_of)s::timestamptz) AS oldest_due_at,
           pg_catalog.count(*) FILTER (WHERE NOT w.parked) AS retrying,
           pg_catalog.count(*) FILTER (WHERE w.parked) AS parked
    FROM (
        -- When they would be due had they not failed.
        SELECT m.parked, renewer.due_at(m.status, m.renews_at, m.lapses_at, m.requested_at, NULL, false) AS due_at
        FROM renewer.member AS m
        WHERE m.retry_at IS NOT NULL OR m.parked
        ORDER BY m.renews_at, m.member_id
        LIMIT %(most)s::integer) AS w) AS f;
