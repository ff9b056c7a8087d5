-- Add a plan's revision unless one of that day is on record.
--
-- Parameters: revision, the columns of plan but loaded_at, as JSON
-- Returns:    one row when it was added, none when the day has a revision already
-- Locks:      the new row
INSERT INTO renewer.plan
SELECT p.*
FROM pg_catalog.jsonb_populate_record(
    NULL::renewer.plan, %(revision)s::jsonb || pg_catalog.jsonb_build_object('loaded_at', pg_catalog.now())) AS p
ON CONFLICT ON CONSTRAINT plan_pkey DO NOTHING
RETURNING code;
