-- Read which process of the server answers (another than was connected to means a pooler), and what it knows.
--
-- Returns: one row: pid; citus, whether the database has the extension that spreads tables over nodes
-- Locks:   none
SELECT pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS citus;
