-- Find since when the longest-waiting due member waits, and count failing and parked members.
--
-- A failing member (retry_at is set) and a parked member never count as waiting.
-- Parameters: as_of timestamptz, most integer: where counting stops
-- Returns:    one row: oldest_due_at, null when no member waits; failing, parked; failing_since and parked_since: since
--             when the longest-waiting of them would be due had it not failed, null when none is or none would be due
-- Locks:      none
-- Index:      member_due_idx, one probe a bucket, which skips up to most failing members; member_failing_idx
-- Reads:      100 rows, 2 for each failing
SELECT d.oldest_due_at, f.failing, f.failing_since, f.parked, f.parked_since
FROM (
    -- An instant that no calendar holds is returned as the first day of all.
    SELECT pg_catalog.min(greatest(o.due_at, '0001-01-02 00:00:00+00')) AS oldest_due_at
    FROM pg_catalog.generate_series(0, 63) AS b (bucket)
    CROSS JOIN LATERAL (
        SELECT s.due_at
        FROM (
            SELECT m.due_at, m.member_id, m.retry_at
            FROM renewer.member AS m
            WHERE m.bucket = b.bucket::smallint AND m.due_at <= %(as_of)s::timestamptz
            ORDER BY m.due_at, m.member_id
            LIMIT %(most)s::integer) AS s
        WHERE s.retry_at IS NULL
        ORDER BY s.due_at, s.member_id
        LIMIT 1) AS o) AS d
CROSS JOIN (
    SELECT pg_catalog.count(*) FILTER (WHERE NOT w.parked) AS failing,
           pg_catalog.min(greatest(w.due_at, '0001-01-02 00:00:00+00'))
               FILTER (WHERE NOT w.parked AND w.due_at <= %(as_of)s::timestamptz) AS failing_since,
           pg_catalog.count(*) FILTER (WHERE w.parked) AS parked,
           pg_catalog.min(greatest(w.due_at, '0001-01-02 00:00:00+00'))
               FILTER (WHERE w.parked AND w.due_at <= %(as_of)s::timestamptz) AS parked_since
    FROM (
        -- When they would be due had they not failed.
        SELECT m.parked, renewer.due_at(m.status, m.renews_at, m.lapses_at, m.requested_at, NULL, false) AS due_at
        FROM renewer.member AS m
        WHERE m.retry_at IS NOT NULL OR m.parked
        ORDER BY m.renews_at, m.member_id
        LIMIT %(most)s::integer) AS w) AS f;
