-- Find the kinds of entries and the lines of a statement, which the migration fills in.
--
-- Returns: name, definition
-- Locks:   none
SELECT k.kind AS name,
       pg_catalog.concat_ws(' ', k.sign, k.source, k.event_rank, k.event_type, pg_catalog.quote_literal(k.words)) AS definition
FROM renewer.entry_kind AS k
UNION ALL
SELECT pg_catalog.concat(r.kind, '.', r.reason), pg_catalog.quote_literal(r.words)
FROM renewer.entry_reason AS r;
