-- Find triggers, rules and policies of tables: renewer has none.
--
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name, definition
-- Locks:      none
SELECT c.relname || '.' || t.tgname AS name, pg_catalog.pg_get_triggerdef(t.oid) AS definition
FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'renewer'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT c.relname || '.' || w.rulename, pg_catalog.pg_get_ruledef(w.oid)
FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
WHERE c.relnamespace = 'renewer'::regnamespace AND w.rulename <> '_RETURN'
UNION ALL
SELECT c.relname || '.' || p.polname, 'a policy of row security'
FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
WHERE c.relnamespace = 'renewer'::regnamespace;
