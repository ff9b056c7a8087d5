-- Take the lock that one migration at a time holds.
--
-- Parameters: key bigint
-- Returns:    locked: whether nobody else holds it
-- Locks:      an advisory lock, to the end of the transaction
SELECT pg_catalog.pg_try_advisory_xact_lock(%(key)s::bigint) AS locked;
