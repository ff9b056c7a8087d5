-- Free the lock of lock_migrations.
--
-- Parameters: key bigint
SELECT pg_advisory_unlock(%(key)s::bigint);
