-- Find the workers on record that gave a sign of life within the last day.
--
-- Parameters: as_of timestamptz
-- Returns:    worker_id, host, process, version, hearing, started_at, seen_at
-- Locks:      none
-- Index:      worker_pkey
-- Reads:      100 rows
SELECT w.worker_id, w.host, w.process, w.version, w.hearing, w.started_at, w.seen_at
FROM renewer.worker AS w
WHERE w.seen_at > %(as_of)s::timestamptz - make_interval(days => 1)
ORDER BY w.worker_id
LIMIT 100;
