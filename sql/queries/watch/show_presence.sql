-- Record a sign of life of a worker.
--
-- Parameters: worker_id, hearing boolean
-- Returns:    worker_id; no row: it was thought dead
UPDATE renewer.worker AS w
SET seen_at = pg_catalog.now(), hearing = %(hearing)s::boolean
WHERE w.worker_id = %(worker_id)s::bigint
RETURNING w.worker_id;
