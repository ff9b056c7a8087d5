-- Find whether this server has renewer's roles.
--
-- Returns: one row when it has
SELECT r.rolname FROM pg_roles AS r WHERE r.rolname = 'renewer_worker';
