-- Find the ticks after the last seal.
--
-- Parameters: none
-- Returns:    number, snapshot as text, raised_by, ticked_at; by number
-- Locks:      none
-- Index:      tick_pkey; seal_pkey
SELECT t.number, t.snapshot::text AS snapshot, f.raised_by, t.ticked_at
FROM renewer.tick AS t
CROSS JOIN renewer.feed AS f
WHERE t.number > coalesce((SELECT pg_catalog.max(s.number) FROM renewer.seal AS s), 0)
ORDER BY t.number;
