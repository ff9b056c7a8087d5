-- Count the members.
--
-- Returns: one row, members
-- Locks:   none
SELECT pg_catalog.count(*) AS members FROM renewer.member;
