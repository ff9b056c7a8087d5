-- Find of some members those a backfill may have something to post for.
--
-- Parameters: members text[]; start, end date; as_of timestamptz
-- Returns:    member_id, in order
-- Locks:      none
-- Index:      member_pkey; ledger_entry_boundary_key
SELECT k.member_id
FROM renewer.member AS k
WHERE k.member_id = ANY (%(members)s::text[])
  AND k.status::text <> 'closed'
  AND NOT k.parked
  AND (k.renews_at::timestamptz <= %(as_of)s::timestamptz
       OR EXISTS (
           SELECT FROM renewer.ledger_entry AS e
           WHERE e.member_id = k.member_id AND e.kind::text = 'renewal'
             AND e.first_day BETWEEN %(start)s::date AND %(end)s::date
             -- A plan that was corrected may owe more than it did: any allowance it ever had, to be sure.
             AND e.amount < coalesce(
                 (SELECT pg_catalog.max(p.allowance) FROM renewer.plan AS p WHERE p.code = e.plan), e.amount + 1)))
ORDER BY k.member_id;
