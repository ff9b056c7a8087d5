-- Find who holds the lock of migrations.
--
-- Parameters: key bigint
-- Returns:    process and login; none: nobody any more
-- Locks:      none
SELECT l.pid AS process, a.usename::text AS login
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1::smallint
  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
  AND (l.classid::bigint << 32) + l.objid::bigint = %(key)s::bigint
ORDER BY l.pid
LIMIT 1;
