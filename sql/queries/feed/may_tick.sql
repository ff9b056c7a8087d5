-- Tell whether this user may end batches of the feed, on this server.
--
-- Parameters: none
-- Returns:    boolean
-- Locks:      none
SELECT pg_catalog.has_function_privilege('renewer.tick()', 'EXECUTE') AND NOT pg_catalog.pg_is_in_recovery();
