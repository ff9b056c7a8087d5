-- Tell whether a check of the invariants began within the last so many hours.
--
-- Parameters: hours integer; 0: whoever else checks
-- Returns:    one row, lately
-- Locks:      none; the caller holds the lease of the duty
SELECT EXISTS (
    SELECT FROM renewer.verification AS v
    WHERE v.began_at > pg_catalog.now() - make_interval(hours => %(hours)s::integer)) AS lately;
