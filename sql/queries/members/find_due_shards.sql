-- Find the shards that hold a due member.
--
-- Parameters: as_of timestamptz
-- Returns:    shard, in order
-- Locks:      none
-- Index:      member_due_idx, one probe a shard
SELECT s.shard
FROM generate_series(0, 63) AS s (shard)
WHERE EXISTS (
    SELECT FROM renewer.member AS m
    WHERE m.shard = s.shard::smallint AND m.due_at <= %(as_of)s::timestamptz)
ORDER BY s.shard;
