-- Count this server's transactions, when the ledger was moved here.
--
-- Parameters: none
-- Returns:    nothing
-- Locks:      ledger_entry, when it was moved
SELECT renewer.adopt_server();
