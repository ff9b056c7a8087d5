-- Find entries that do not continue the one before: by number or by balance.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns: member_id, detail
-- Locks:   none
-- Index:   ledger_entry_pkey
SELECT e.member_id,
       CASE WHEN e.seq <> e.place
            THEN pg_catalog.format('entry %%s stands in place %%s', e.seq, e.place)
            ELSE pg_catalog.format('entry %%s leaves %%s, the amounts up to it add up to %%s', e.seq, e.balance_after, e.total)
       END AS detail
FROM (
    SELECT i.member_id, i.seq, i.balance_after,
           row_number() OVER w AS place, sum(i.amount) OVER w AS total
    FROM renewer.ledger_entry AS i
    WHERE i.member_id > %(after)s::text AND (%(until)s::text IS NULL OR i.member_id <= %(until)s::text)
    WINDOW w AS (PARTITION BY i.member_id ORDER BY i.seq)) AS e
WHERE e.seq <> e.place OR e.balance_after::integer <> e.total
UNION ALL
SELECT m.member_id, pg_catalog.format('last_seq is %%s, the last entry %%s', m.last_seq, coalesce(pg_catalog.max(e.seq), 0))
FROM renewer.member AS m
LEFT JOIN renewer.ledger_entry AS e ON e.member_id = m.member_id
WHERE m.member_id > %(after)s::text AND (%(until)s::text IS NULL OR m.member_id <= %(until)s::text)
GROUP BY m.member_id
HAVING m.last_seq <> coalesce(pg_catalog.max(e.seq), 0);
