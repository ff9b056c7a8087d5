-- Tell whether this user may record a check of the invariants.
--
-- Returns: one row, allowed
SELECT pg_catalog.has_table_privilege('renewer.verification', 'INSERT')
       AND pg_catalog.has_table_privilege('renewer.verification', 'UPDATE')
       AND NOT pg_catalog.current_setting('transaction_read_only')::boolean AS allowed;
