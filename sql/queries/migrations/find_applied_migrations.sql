-- Find which migrations the schema has seen.
--
-- Returns: one row per migration: migration_id
-- Locks:   none
SELECT m.migration_id FROM renewer._yoyo_migration AS m ORDER BY m.migration_id;
