-- Find which migrations the schema has seen.
--
-- Returns: one row per migration: migration_id
-- Locks:   none
-- Index:   none; they are few
-- Reads:   1 for each returned
SELECT m.migration_id FROM renewer._yoyo_migration AS m ORDER BY m.migration_id;
