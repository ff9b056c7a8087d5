-- Find the buckets that hold a due member.
--
-- Parameters: as_of timestamptz
-- Returns:    bucket, in order
-- Locks:      none
-- Index:      member_due_idx, one probe a bucket
-- Reads:      100 rows
SELECT b.bucket
FROM pg_catalog.generate_series(0, 63) AS b (bucket)
WHERE EXISTS (
    SELECT FROM renewer.member AS m
    WHERE m.bucket = b.bucket::smallint AND m.due_at <= %(as_of)s::timestamptz)
ORDER BY b.bucket;
