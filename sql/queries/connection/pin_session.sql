-- Make the session of a direct connection independent of what role and database have set.
--
-- Parameters: statement_timeout, with its unit; 0ms: none
SELECT pg_catalog.set_config('search_path', 'pg_catalog', false),
       pg_catalog.set_config('DateStyle', 'ISO, YMD', false),
       pg_catalog.set_config('IntervalStyle', 'postgres', false),
       pg_catalog.set_config('TimeZone', 'UTC', false),
       pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
       pg_catalog.set_config('row_security', 'off', false),
       pg_catalog.set_config('statement_timeout', %(statement_timeout)s::text, false),
       pg_catalog.set_config('idle_in_transaction_session_timeout', %(statement_timeout)s::text, false);
