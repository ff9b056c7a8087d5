-- Find since when the longest-waiting due member waits, and count failing and parked members, over several nodes.
--
-- Why:        a cluster cannot push the probe for each bucket, a lateral join of a series, to its nodes
-- Parameters: as watch/find_backlog
-- Returns:    as watch/find_backlog
-- Locks:      none
-- Index:      member_due_idx, all of it; member_failing_idx
SELECT d.oldest_due_at, f.failing, f.failing_since, f.parked, f.parked_since
FROM (
    SELECT pg_catalog.min(greatest(m.due_at, '0001-01-02 00:00:00+00')) AS oldest_due_at
    FROM renewer.member AS m
    WHERE m.due_at <= %(as_of)s::timestamptz AND m.retry_at IS NULL) AS d
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
