-- Read the next events of the feed.
--
-- Parameters: after text, a cursor, null from the start; limit integer
-- Returns:    cursor, event
-- Locks:      none
-- Index:      ledger_entry_xact_idx; of the first batch ledger_entry_pkey
SELECT e.cursor, e.event FROM renewer.events(%(after)s::text, %(limit)s::integer) AS e;
