-- Count the members a pass could not renew.
--
-- Returns: one row, failures
-- Locks:   none
SELECT pg_catalog.count(*) AS failures FROM renewer.failure;
