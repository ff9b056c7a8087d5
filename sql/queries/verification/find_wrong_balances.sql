-- Find members whose balance is not the sum of their entries, the sum of their lots and the last balance_after.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns: member_id, detail
-- Locks:   none
SELECT coalesce(m.member_id, e.member_id, l.member_id) AS member_id,
       pg_catalog.format('balance %%s, entries %%s, lots %%s, last balance_after %%s',
              coalesce(m.balance::text, 'of nobody'), coalesce(e.total, 0), coalesce(l.total, 0), coalesce(e.last_balance, 0)) AS detail
FROM (
    SELECT h.member_id, h.balance
    FROM renewer.member AS h
    WHERE h.member_id > %(after)s::text AND (%(until)s::text IS NULL OR h.member_id <= %(until)s::text)) AS m
FULL JOIN (
    SELECT t.member_id, sum(t.amount) AS total,
           pg_catalog.max(t.balance_after) FILTER (WHERE t.seq = t.last_seq) AS last_balance
    FROM (
        SELECT i.member_id, i.seq, i.amount, i.balance_after, pg_catalog.max(i.seq) OVER (PARTITION BY i.member_id) AS last_seq
        FROM renewer.ledger_entry AS i
        WHERE i.member_id > %(after)s::text AND (%(until)s::text IS NULL OR i.member_id <= %(until)s::text)) AS t
    GROUP BY t.member_id) AS e ON e.member_id = m.member_id
FULL JOIN (
    SELECT o.member_id, sum(o.remaining::integer) AS total
    FROM renewer.lot AS o
    WHERE o.member_id > %(after)s::text AND (%(until)s::text IS NULL OR o.member_id <= %(until)s::text)
    GROUP BY o.member_id) AS l ON l.member_id = coalesce(m.member_id, e.member_id)
WHERE m.balance::integer IS DISTINCT FROM coalesce(e.total, 0)
   OR m.balance::integer IS DISTINCT FROM coalesce(l.total, 0)
   OR m.balance::integer IS DISTINCT FROM coalesce(e.last_balance, 0)
   OR m.balance::integer < 0
ORDER BY 1;
