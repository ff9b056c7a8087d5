-- Find when the next member becomes due.
--
-- Parameters: as_of timestamptz
-- Returns:    one row, due_at; null: nobody does
-- Locks:      none
-- Index:      member_due_idx, once a bucket
-- A time no calendar holds is told as the last day of all.
-- Reads:      100 rows
SELECT pg_catalog.min(least(n.due_at, '9999-12-30 00:00:00+00')) AS due_at
FROM pg_catalog.generate_series(0, 63) AS b (bucket)
CROSS JOIN LATERAL (
    SELECT m.due_at
    FROM renewer.member AS m
    WHERE m.bucket = b.bucket::smallint AND m.due_at > %(as_of)s::timestamptz
    ORDER BY m.due_at
    LIMIT 1) AS n;
