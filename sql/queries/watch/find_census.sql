-- Find the last census.
--
-- Returns: taken_at, members, due, without_rule; no row: none was taken
-- Locks:   none
-- Index:   census_pkey
-- Reads:   1 row
SELECT c.taken_at, c.members, c.due, c.without_rule FROM renewer.census AS c ORDER BY c.taken_at DESC LIMIT 1;
