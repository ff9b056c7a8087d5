-- Read which process of the server answers: another than was connected to means a pooler.
--
-- Returns: one row, pid
-- Locks:   none
SELECT pg_catalog.pg_backend_pid() AS pid;
