-- Lease a bucket for one batch: who holds it is the only one to look for due members there.
--
-- It is idle meanwhile for as long as the batch takes, which no setting of a role may end, also not through a pooler.
-- Parameters: lease_class integer, bucket integer; patience, with its unit: how long it may be idle, 0ms: for ever
-- Returns:    leased: whether nobody else holds it
-- Locks:      an advisory lock, to the end of the transaction
SELECT pg_catalog.pg_try_advisory_xact_lock(%(lease_class)s::integer, %(bucket)s::integer) AS leased,
       pg_catalog.set_config('idle_in_transaction_session_timeout', %(patience)s::pg_catalog.text, true);
