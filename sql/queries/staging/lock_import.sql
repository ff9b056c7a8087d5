-- Let one import at a time look for members that exist already.
--
-- Parameters: lease_class integer
-- Returns:    leased: whether nobody else does
-- Locks:      an advisory lock, to the end of the transaction
SELECT pg_catalog.pg_try_advisory_xact_lock(%(lease_class)s::integer, -1) AS leased;
