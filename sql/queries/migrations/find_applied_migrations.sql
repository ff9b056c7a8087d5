-- Find which migrations the schema has seen.
--
-- Returns: one row per migration: migration_id and migration_hash, the fingerprint of its text
-- Locks:   none
-- Index:   none; they are few
-- Reads:   1 for each returned
SELECT m.migration_id, m.migration_hash FROM renewer._yoyo_migration AS m ORDER BY m.migration_id;
