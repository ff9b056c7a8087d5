-- Count what a stretch holds.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns:    one row: members, entries, lots; since_at and until_at, when the first and the last entry occurred
-- Locks:      none
-- Index:      member_pkey; ledger_entry_pkey; lot_pkey
SELECT (SELECT pg_catalog.count(*) FROM renewer.member AS m
        WHERE m.member_id > %(after)s::text AND (%(until)s::text IS NULL OR m.member_id <= %(until)s::text)) AS members,
       e.entries, e.since_at, e.until_at,
       (SELECT pg_catalog.count(*) FROM renewer.lot AS l
        WHERE l.member_id > %(after)s::text AND (%(until)s::text IS NULL OR l.member_id <= %(until)s::text)) AS lots
FROM (
    SELECT pg_catalog.count(*) AS entries, pg_catalog.min(i.occurred_at::timestamptz) AS since_at,
           pg_catalog.max(i.occurred_at::timestamptz) AS until_at
    FROM renewer.ledger_entry AS i
    WHERE i.member_id > %(after)s::text AND (%(until)s::text IS NULL OR i.member_id <= %(until)s::text)) AS e;
