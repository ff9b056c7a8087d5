-- Let one import at a time look for members that exist already.
--
-- Parameters: lease_class integer
-- Locks:      an advisory lock, to the end of the transaction
SELECT pg_advisory_xact_lock(%(lease_class)s::integer, -1);
