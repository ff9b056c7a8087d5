-- Count the members a pass could not renew.
--
-- Returns: one row, failures
-- Locks:   none
-- Index:   none; few fail
-- Reads:   1 for each failing
SELECT pg_catalog.count(*) AS failures FROM renewer.failure;
