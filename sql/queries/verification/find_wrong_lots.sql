-- Find lots that do not hold what their entries left in them, and rollover pairs that do not sum to zero.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns: member_id, detail
-- Locks:   none
SELECT coalesce(l.member_id, e.member_id) AS member_id,
       pg_catalog.format('lot %%s holds %%s, its entries left %%s',
              coalesce(l.number, e.lot), coalesce(l.remaining::text, 'nothing'), coalesce(e.total, 0)) AS detail
FROM (
    SELECT o.member_id, o.number, o.remaining
    FROM renewer.lot AS o
    WHERE o.member_id > %(after)s::text AND (%(until)s::text IS NULL OR o.member_id <= %(until)s::text)) AS l
FULL JOIN (
    SELECT i.member_id, i.lot, sum(i.amount) AS total
    FROM renewer.ledger_entry AS i
    WHERE i.lot IS NOT NULL
      AND i.member_id > %(after)s::text AND (%(until)s::text IS NULL OR i.member_id <= %(until)s::text)
    GROUP BY i.member_id, i.lot) AS e ON e.member_id = l.member_id AND e.lot = l.number
WHERE l.remaining::integer IS DISTINCT FROM coalesce(e.total, 0) OR l.remaining::integer < 0
UNION ALL
SELECT r.member_id, pg_catalog.format('what rolled over at %%s sums to %%s, not 0', r.occurred_at, sum(r.amount))
FROM renewer.ledger_entry AS r
WHERE r.kind::text = 'rollover'
  AND r.member_id > %(after)s::text AND (%(until)s::text IS NULL OR r.member_id <= %(until)s::text)
GROUP BY r.member_id, r.occurred_at
HAVING sum(r.amount) <> 0;
