-- Find the constraints of tables and domains; what is only not null is a property of the column.
--
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name, definition, which also tells of one that is not validated
-- Locks:      none
SELECT coalesce(r.relname, t.typname) || '.' || c.conname AS name,
       pg_catalog.pg_get_constraintdef(c.oid) AS definition
FROM pg_catalog.pg_constraint AS c
LEFT JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = c.contypid
WHERE c.connamespace = 'renewer'::regnamespace AND c.contype <> 'n'
  AND coalesce(r.relname, t.typname) !~ 'yoyo';
