-- Record what a check of the invariants has looked at and found so far and, with finished, that it ended.
--
-- Parameters: verification_id, members, entries, violations, finished boolean
UPDATE renewer.verification AS v
SET members = %(members)s::bigint, entries = %(entries)s::bigint, violations = %(violations)s::bigint,
    -- A cluster takes no clock in a CASE.
    finished_at = pg_catalog.now() + CASE WHEN %(finished)s::boolean THEN interval '0' END
WHERE v.verification_id = %(verification_id)s::bigint;
