-- Seal a batch, unless the seal it goes on from is the last one no more.
--
-- Needs isolation serializable: two that go on from the same seal would both find it the last one.
-- Parameters: number bigint, snapshot text, raised_by bigint, ticked_at timestamptz, entries bigint, hash bytea,
--             before bigint: the number of the seal it goes on from, 0 for the first
-- Locks:      the new row
-- Index:      seal_pkey
INSERT INTO renewer.seal (number, snapshot, raised_by, ticked_at, entries, hash)
SELECT %(number)s::bigint, %(snapshot)s::text::pg_snapshot, %(raised_by)s::bigint, %(ticked_at)s::timestamptz,
       %(entries)s::bigint, %(hash)s::bytea
WHERE %(before)s::bigint = coalesce((SELECT pg_catalog.max(s.number) FROM renewer.seal AS s), 0)
ON CONFLICT ON CONSTRAINT seal_pkey DO NOTHING;
