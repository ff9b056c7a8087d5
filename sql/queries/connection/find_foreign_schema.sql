-- Find a schema in which names are looked for before those that are built in.
--
-- Returns: one row, name; null: none
-- Locks:   none
SELECT s.name
FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS s (name, place)
WHERE s.place OPERATOR(pg_catalog.<) pg_catalog.array_position(pg_catalog.current_schemas(true), 'pg_catalog'::pg_catalog.name)
  AND s.name OPERATOR(pg_catalog.!~) '^pg_temp'
ORDER BY s.place
LIMIT 1;
