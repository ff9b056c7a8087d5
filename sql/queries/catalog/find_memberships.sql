-- Find renewer's roles, and what they may beyond what is granted to them on renewer's own things.
--
-- An owner may grant itself whatever it likes, so what a role owns is told, too.
-- Parameters: names text[], the roles
-- Returns:    name, definition
-- Locks:      none
WITH owned AS (
    SELECT c.relname::text AS name, c.relowner AS owner
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'renewer'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c')
    UNION ALL
    SELECT p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', p.proowner
    FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'renewer'::regnamespace
    UNION ALL
    SELECT 'schema ' || n.nspname, n.nspowner
    FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'renewer')
SELECT r.rolname::text AS name,
       pg_catalog.concat_ws(
           ', ', 'a role', CASE WHEN r.rolsuper THEN 'superuser' END,
           CASE WHEN r.rolbypassrls THEN 'bypasses row security' END,
           CASE WHEN r.rolcreaterole THEN 'creates roles' END,
           'member of ' || (
               SELECT pg_catalog.string_agg(pg_catalog.pg_get_userbyid(m.roleid)::text, ', ' ORDER BY m.roleid)
               FROM pg_catalog.pg_auth_members AS m WHERE m.member = r.oid),
           'owner of ' || (
               SELECT pg_catalog.string_agg(o.name, ', ' ORDER BY o.name) FROM owned AS o WHERE o.owner = r.oid))
       AS definition
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = ANY (%(names)s::text[]);
