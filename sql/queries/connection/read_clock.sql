-- Read the database's clock, the one authority for time.
--
-- Returns: one row, now
-- Locks:   none
SELECT clock_timestamp() AS now;
