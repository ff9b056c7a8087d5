-- Wait for the lock that one migration at a time holds.
--
-- Parameters: key bigint
-- Locks:      an advisory lock, to the end of the transaction
SELECT pg_catalog.pg_advisory_xact_lock(%(key)s::bigint);
