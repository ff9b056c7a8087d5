-- Count members who are due and requests that wait, each to a limit.
--
-- Parameters: as_of timestamptz, most integer: where counting stops
-- Returns:    one row: due, requests
-- Locks:      none
-- Index:      member_due_idx; request_waiting_idx
-- Reads:      10 rows, 1 for each due, 1 for each failing
SELECT (
    SELECT pg_catalog.count(*)
    FROM (
        SELECT
        FROM pg_catalog.generate_series(0, 63) AS b (bucket)
        CROSS JOIN LATERAL (
            SELECT
            FROM renewer.member AS m
            WHERE m.bucket = b.bucket::smallint AND m.due_at <= %(as_of)s::timestamptz
            ORDER BY m.due_at, m.member_id
            LIMIT %(most)s::integer) AS d
        LIMIT %(most)s::integer) AS o) AS due,
    (SELECT pg_catalog.count(*)
     FROM (
        SELECT FROM renewer.request AS q WHERE q.applied_at IS NULL
        ORDER BY q.member_id, q.at, q.number
        LIMIT %(most)s::integer) AS w) AS requests;
