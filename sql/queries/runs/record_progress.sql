-- Add to the counts of a run, and record that it is alive or has ended.
--
-- Parameters: run_id, due, renewed, late, expired, applied, skipped, failed, entries, stopped boolean, finished boolean
-- Returns:    nothing
-- Locks:      the row of the run
-- Index:      run_pkey
-- Reads:      1 row
UPDATE renewer.run AS r
SET due = r.due + %(due)s::bigint,
    renewed = r.renewed + %(renewed)s::bigint,
    late = r.late + %(late)s::bigint,
    expired = r.expired + %(expired)s::bigint,
    applied = r.applied + %(applied)s::bigint,
    skipped = r.skipped + %(skipped)s::bigint,
    failed = r.failed + %(failed)s::bigint,
    entries = r.entries + %(entries)s::bigint,
    stopped = %(stopped)s::boolean,
    seen_at = pg_catalog.now(),
    -- A cluster takes no clock in a CASE.
    finished_at = pg_catalog.now() + CASE WHEN %(finished)s::boolean THEN interval '0' END
WHERE r.run_id = %(run_id)s::bigint;
