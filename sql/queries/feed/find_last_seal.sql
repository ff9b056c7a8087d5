-- Find the last seal.
--
-- Parameters: none
-- Returns:    number, snapshot as text, raised_by, ticked_at, entries, hash; none: nothing is sealed
-- Locks:      none
-- Index:      seal_pkey
SELECT s.number, s.snapshot::text AS snapshot, s.raised_by, s.ticked_at, s.entries, s.hash
FROM renewer.seal AS s
ORDER BY s.number DESC
LIMIT 1;
