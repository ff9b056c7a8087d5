-- Record that a check of the invariants begins, unless one began within the last so many hours.
--
-- Parameters: hours integer; 0: whoever else checks
-- Returns:    verification_id; no row: somebody else has begun
-- Locks:      none; the caller holds the lease of the duty
INSERT INTO renewer.verification (began_at)
SELECT pg_catalog.now()
WHERE NOT EXISTS (
    SELECT FROM renewer.verification AS v
    WHERE v.began_at > pg_catalog.now() - make_interval(hours => %(hours)s::integer))
RETURNING verification_id;
