-- Wait for the lock that one migration at a time holds.
--
-- Parameters: key bigint
-- Locks:      an advisory lock, to the end of the session
SELECT pg_advisory_lock(%(key)s::bigint);
