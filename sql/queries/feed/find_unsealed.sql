-- Find the first tick behind a number.
--
-- Parameters: after bigint, the number of the last seal; 0: nothing is sealed
-- Returns:    number, snapshot as text, raised_by, ticked_at; none: all is sealed
-- Locks:      none
-- Index:      tick_pkey
SELECT t.number, t.snapshot::text AS snapshot, f.raised_by, t.ticked_at
FROM renewer.tick AS t
CROSS JOIN renewer.feed AS f
WHERE t.number > %(after)s::bigint
ORDER BY t.number
LIMIT 1;
