-- Count what a stretch holds.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns:    one row: members, entries
-- Locks:      none
-- Index:      member_pkey; ledger_entry_pkey
SELECT (SELECT pg_catalog.count(*) FROM renewer.member AS m
        WHERE m.member_id > %(after)s::text AND (%(until)s::text IS NULL OR m.member_id <= %(until)s::text)) AS members,
       (SELECT pg_catalog.count(*) FROM renewer.ledger_entry AS e
        WHERE e.member_id > %(after)s::text AND (%(until)s::text IS NULL OR e.member_id <= %(until)s::text)) AS entries;
