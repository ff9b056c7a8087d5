-- Count the members.
--
-- Returns: one row, members
-- Locks:   none
SELECT count(*) AS members FROM renewer.member;
