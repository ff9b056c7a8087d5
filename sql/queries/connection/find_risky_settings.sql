-- Find settings with which the server may lose what it has acknowledged, a spend included.
--
-- Returns: setting: its name and, when only some sessions of who may spend have it, of whom
-- Locks:   none
SELECT s.name || ' = off' AS setting
FROM pg_catalog.pg_settings AS s
WHERE s.name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND s.setting = 'off'
UNION
SELECT 'synchronous_commit = off of ' || coalesce(r.rolname::text, 'everybody') AS setting
FROM pg_catalog.pg_db_role_setting AS d
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = d.setrole
LEFT JOIN pg_catalog.pg_database AS b ON b.oid = d.setdatabase
-- It is kept as it was written: any of these words is off.
WHERE EXISTS (
      SELECT FROM pg_catalog.unnest(d.setconfig) AS c (setting)
      WHERE pg_catalog.lower(c.setting) = ANY (ARRAY[
          'synchronous_commit=off', 'synchronous_commit=false',
          'synchronous_commit=no', 'synchronous_commit=0']))
  AND coalesce(b.datname = pg_catalog.current_database(), true)
  -- A role that cannot spend has nothing to lose: a pass ends with a write of its own.
  AND (d.setrole = 0::oid OR EXISTS (
      SELECT FROM pg_catalog.pg_proc AS f
      WHERE f.pronamespace = pg_catalog.to_regnamespace('renewer')::oid AND f.proname = 'spend'
        AND pg_catalog.has_function_privilege(d.setrole, f.oid, 'EXECUTE')))
ORDER BY 1;
