-- Find who may do what with the schema, its tables, their columns and its routines.
--
-- MAINTAIN, which PostgreSQL knows since 17, is left out: it changes no row.
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name: the thing; grantee: a role, owner or PUBLIC; granted: its privileges in order, one with a
--             star may be handed on
-- Locks:      none
WITH thing AS (
    SELECT c.relname::text AS name, c.relowner AS owner,
           coalesce(c.relacl, pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))
           AS acl
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = 'renewer'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'column ' || c.relname || '.' || a.attname, c.relowner, a.attacl
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'renewer'::regnamespace AND a.attacl IS NOT NULL
    UNION ALL
    SELECT p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')', p.proowner,
           coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
    FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'renewer'::regnamespace
    UNION ALL
    SELECT 'schema ' || n.nspname, n.nspowner, coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
    FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'renewer')
SELECT t.name,
       CASE a.grantee WHEN t.owner THEN 'owner' WHEN 0 THEN 'PUBLIC'
                      ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee,
       pg_catalog.string_agg(DISTINCT a.privilege_type || CASE WHEN a.is_grantable AND a.grantee <> t.owner
                                                               THEN '*' ELSE '' END, ', ') AS granted
FROM thing AS t CROSS JOIN LATERAL pg_catalog.aclexplode(t.acl) AS a
WHERE a.privilege_type <> 'MAINTAIN'
GROUP BY t.name, t.owner, a.grantee;
