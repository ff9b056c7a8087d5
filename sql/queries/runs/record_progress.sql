-- Record what a pass has done so far and, with finished, that it ended.
--
-- Parameters: run_id, due, renewed, late, expired, applied, skipped, failed, entries, stopped boolean, finished boolean
-- Returns:    nothing
-- Index:      run_pkey
-- Reads:      1 row
UPDATE renewer.run AS r
SET due = %(due)s::bigint, renewed = %(renewed)s::bigint, expired = %(expired)s::bigint,
    late = %(late)s::bigint, applied = %(applied)s::bigint, skipped = %(skipped)s::bigint, failed = %(failed)s::bigint,
    entries = %(entries)s::bigint, stopped = %(stopped)s::boolean, seen_at = pg_catalog.now(),
    -- A cluster takes no clock in a CASE.
    finished_at = pg_catalog.now() + CASE WHEN %(finished)s::boolean THEN interval '0' END
WHERE r.run_id = %(run_id)s::bigint;
