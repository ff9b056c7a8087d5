-- Find the workers there are.
--
-- Returns: host, process, version, hearing, started_at, seen_at, alive: whether it showed itself within two minutes
-- Locks:   none
-- Index:   worker_pkey
-- Reads:   100 rows
SELECT w.host, w.process, w.version, w.hearing, w.started_at, w.seen_at,
       w.seen_at > clock_timestamp() - make_interval(mins => 2) AS alive
FROM renewer.worker AS w
ORDER BY w.worker_id
LIMIT 100;
