-- Read the rest of this transaction as renewer_read, and give up a statement that takes too long.
--
-- Parameters: statement_timeout, with its unit
SELECT pg_catalog.set_config('role', 'renewer_read', true),
       pg_catalog.set_config('statement_timeout', %(statement_timeout)s::text, true);
