-- Tell whether this user may end batches of the feed, on this server as it is now.
--
-- Parameters: none
-- Returns:    boolean
-- Locks:      none
SELECT pg_catalog.has_function_privilege('renewer.tick()', 'EXECUTE')
   AND pg_catalog.current_setting('transaction_read_only') = 'off';
