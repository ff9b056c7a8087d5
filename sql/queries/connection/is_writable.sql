-- Tell whether the server may be written to.
--
-- Returns: one row, writable
-- Locks:   none
SELECT NOT pg_catalog.current_setting('transaction_read_only')::boolean AS writable;
