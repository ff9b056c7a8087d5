-- Find the seals behind a number.
--
-- Parameters: after bigint, limit integer
-- Returns:    number, snapshot as text, raised_by, ticked_at, entries, hash; by number
-- Locks:      none
-- Index:      seal_pkey
SELECT s.number, s.snapshot::text AS snapshot, s.raised_by, s.ticked_at, s.entries, s.hash
FROM renewer.seal AS s
WHERE s.number > %(after)s::bigint
ORDER BY s.number
LIMIT %(limit)s::integer;
