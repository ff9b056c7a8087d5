-- Seal a batch, unless somebody else just did: their hash is the same.
--
-- Parameters: number bigint, snapshot text, raised_by bigint, ticked_at timestamptz, entries bigint, hash bytea
-- Locks:      the new row
INSERT INTO renewer.seal (number, snapshot, raised_by, ticked_at, entries, hash)
VALUES (%(number)s::bigint, %(snapshot)s::text::pg_snapshot, %(raised_by)s::bigint, %(ticked_at)s::timestamptz,
        %(entries)s::bigint, %(hash)s::bytea)
ON CONFLICT ON CONSTRAINT seal_pkey DO NOTHING;
