-- Make the session of a direct connection independent of what role and database have set.
--
-- A server looks now and then whether its client is still there, where its system can tell: what a killed pass held is
-- let go at once, and not at the end of its statement. Until it has run, types too are found by what a role has set.
-- Parameters: statement_timeout, with its unit; 0ms: none
SELECT pg_catalog.set_config('search_path', 'pg_catalog', false),
       pg_catalog.set_config('DateStyle', 'ISO, YMD', false),
       pg_catalog.set_config('IntervalStyle', 'postgres', false),
       pg_catalog.set_config('TimeZone', 'UTC', false),
       pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
       pg_catalog.set_config('row_security', 'off', false),
       CASE WHEN pg_catalog.version() OPERATOR(pg_catalog.~) 'linux'
            THEN pg_catalog.set_config('client_connection_check_interval', '500ms', false) END,
       -- A worker that listens is idle for hours, and verify reads for minutes; up to 16 there is no transaction_timeout.
       pg_catalog.set_config('idle_session_timeout', '0', false),
       CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL
            THEN pg_catalog.set_config('transaction_timeout', '0', false) END,
       -- One connection to each node of a cluster is enough for a pass, which has threads of its own.
       CASE WHEN pg_catalog.current_setting('citus.max_adaptive_executor_pool_size', true) IS NOT NULL
            THEN pg_catalog.set_config('citus.max_adaptive_executor_pool_size', '1', false) END,
       -- A lock is waited for as long as any answer.
       pg_catalog.set_config('lock_timeout', '0', false),
       pg_catalog.set_config('statement_timeout', %(statement_timeout)s::pg_catalog.text, false),
       pg_catalog.set_config('idle_in_transaction_session_timeout', %(statement_timeout)s::pg_catalog.text, false);
