-- Lease a duty that one worker at a time has.
--
-- Parameters: lease_class integer, duty integer
-- Returns:    leased: whether nobody else holds it
-- Locks:      an advisory lock, to the end of the transaction
SELECT pg_catalog.pg_try_advisory_xact_lock(%(lease_class)s::integer, %(duty)s::integer) AS leased;
