-- Find renewer's roles, and what they may beyond what is granted to them on renewer's own things.
--
-- Parameters: names text[], the roles
-- Returns:    name, definition
-- Locks:      none
SELECT r.rolname::text AS name,
       pg_catalog.concat_ws(
           ', ', 'a role', CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolbypassrls THEN 'bypasses row security' END,
           'member of ' || (
               SELECT pg_catalog.string_agg(pg_catalog.pg_get_userbyid(m.roleid)::text, ', ' ORDER BY m.roleid)
               FROM pg_catalog.pg_auth_members AS m WHERE m.member = r.oid)) AS definition
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = ANY (%(names)s::text[]);
