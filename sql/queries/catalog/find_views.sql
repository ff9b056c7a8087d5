-- Find the views and what they show.
--
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name, definition
-- Locks:      none
SELECT c.relname AS name, pg_catalog.concat_ws(
           ' ', pg_catalog.array_to_string(c.reloptions, ', '), pg_catalog.pg_get_viewdef(c.oid)) AS definition
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'renewer'::regnamespace AND c.relkind = 'v';
