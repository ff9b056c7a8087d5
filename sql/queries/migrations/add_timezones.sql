-- Store the zone names renewer knows, so that SQL refuses the others.
--
-- Parameters: names text[]
-- Locks:      the new rows
INSERT INTO renewer.timezone (name)
SELECT n.name FROM pg_catalog.unnest(%(names)s::text[]) AS n (name)
ON CONFLICT ON CONSTRAINT timezone_pkey DO NOTHING;
