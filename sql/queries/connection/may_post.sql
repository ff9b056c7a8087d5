-- Tell whether this login may run passes; a server that is read-only for a moment is another matter.
--
-- Returns: one row, allowed
-- Locks:   none
SELECT pg_catalog.has_table_privilege('renewer.run', 'INSERT')
       AND pg_catalog.has_table_privilege('renewer.ledger_entry', 'INSERT') AS allowed;
