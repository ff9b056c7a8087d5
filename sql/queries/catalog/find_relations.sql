-- Find tables, sequences and composite types, and what makes rows of a table invisible or bring others in.
--
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name, definition
-- Locks:      none
SELECT c.relname AS name,
       pg_catalog.concat_ws(
           ', ',
           CASE c.relkind WHEN 'r' THEN 'table' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type'
                          WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                          WHEN 'p' THEN 'partitioned table' ELSE c.relkind::text END,
           CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
           CASE WHEN c.relrowsecurity THEN 'row security on' END,
           CASE WHEN c.relforcerowsecurity THEN 'row security forced' END,
           'inherits from ' || (
               SELECT pg_catalog.string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhparent)
               FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid),
           CASE WHEN c.relkind <> 'p' THEN 'inherited by ' || (
               SELECT pg_catalog.string_agg(i.inhrelid::regclass::text, ', ' ORDER BY i.inhrelid)
               FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = c.oid) END) AS definition
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'renewer'::regnamespace AND c.relkind NOT IN ('i', 'I', 'v') AND c.relname !~ 'yoyo';
