-- Take away the row of a worker that leaves.
--
-- Parameters: worker_id
DELETE FROM renewer.worker AS w WHERE w.worker_id = %(worker_id)s::bigint;
