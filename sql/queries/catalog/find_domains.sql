-- Find the domains, and enumerations or ranges, of which there are none.
--
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name, definition
-- Locks:      none
SELECT t.typname AS name,
       pg_catalog.concat_ws(
           ' ', CASE t.typtype WHEN 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
                               ELSE 'type ' || t.typtype::text END,
           CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation
                THEN 'COLLATE ' || t.typcollation::regcollation::text END,
           CASE WHEN t.typnotnull THEN 'NOT NULL' END,
           'DEFAULT ' || t.typdefault) AS definition
FROM pg_catalog.pg_type AS t
LEFT JOIN pg_catalog.pg_type AS b ON b.oid = t.typbasetype
WHERE t.typnamespace = 'renewer'::regnamespace AND t.typtype <> 'c' AND t.typelem = 0;
