-- Find since when the member waits who waits longest, and how many failed, where members are spread over nodes.
--
-- Parameters: as watch/find_backlog
-- Returns:    as watch/find_backlog
-- Locks:      none
-- Index:      member_due_idx, all of it; member_failing_idx
SELECT least(d.oldest_due_at, f.oldest_due_at) AS oldest_due_at, f.retrying, f.parked
FROM (
    SELECT pg_catalog.min(greatest(m.due_at, '0001-01-02 00:00:00+00')) AS oldest_due_at
    FROM renewer.member AS m
    WHERE m.due_at <= %(as_of)s::timestamptz) AS d
CROSS JOIN (
    SELECT pg_catalog.min(greatest(w.due_at, '0001-01-02 00:00:00+00'))
               FILTER (WHERE w.due_at <= %(as_of)s::timestamptz) AS oldest_due_at,
           pg_catalog.count(*) FILTER (WHERE NOT w.parked) AS retrying,
           pg_catalog.count(*) FILTER (WHERE w.parked) AS parked
    FROM (
        SELECT m.parked, renewer.due_at(m.status, m.renews_at, m.lapses_at, m.requested_at, NULL, false) AS due_at
        FROM renewer.member AS m
        WHERE m.retry_at IS NOT NULL OR m.parked
        ORDER BY m.renews_at, m.member_id
        LIMIT %(most)s::integer) AS w) AS f;
