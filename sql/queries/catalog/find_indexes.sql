-- Find the indexes of tables.
--
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name, definition, which also tells of one that the database does not use
-- Locks:      none
SELECT c.relname AS name,
       pg_catalog.pg_get_indexdef(i.indexrelid)
       || CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN '' ELSE ' INVALID' END AS definition
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class AS r ON r.oid = i.indrelid
WHERE r.relnamespace = 'renewer'::regnamespace AND r.relname !~ 'yoyo';
