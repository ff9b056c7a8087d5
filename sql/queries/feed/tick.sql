-- End a batch of the feed here, if something was posted.
--
-- Parameters: none
-- Returns:    the tick's number; null: none was needed
-- Locks:      the feed's row
-- Index:      ledger_entry_xact_idx
SELECT renewer.tick();
