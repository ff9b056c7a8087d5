-- Lease a bucket for one batch: who holds it is the only one to look for due members there.
--
-- Parameters: lease_class integer, bucket integer
-- Returns:    leased: whether nobody else holds it
-- Locks:      an advisory lock, to the end of the transaction
SELECT pg_catalog.pg_try_advisory_xact_lock(%(lease_class)s::integer, %(bucket)s::integer) AS leased;
