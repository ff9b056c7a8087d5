-- Look at the next members and find those a backfill may have something to post for.
--
-- Parameters: start, end date; as_of timestamptz; after, the last member looked at before; limit integer
-- Returns:    one row: looked, how many; last, their last member_id; members, text[] of those who may be concerned
-- Locks:      none
-- Index:      member_pkey; ledger_entry_boundary_key
WITH looked AS (
    SELECT m.member_id, m.renews_at, m.status, m.parked
    FROM renewer.member AS m
    WHERE m.member_id > %(after)s::text
    ORDER BY m.member_id
    LIMIT %(limit)s::integer)
SELECT pg_catalog.count(*) AS looked, pg_catalog.max(k.member_id) AS last,
       pg_catalog.array_agg(k.member_id ORDER BY k.member_id) FILTER (WHERE
           k.status::text <> 'closed'
           AND NOT k.parked
           AND (k.renews_at::timestamptz <= %(as_of)s::timestamptz
                OR EXISTS (
                    SELECT FROM renewer.ledger_entry AS e
                    WHERE e.member_id = k.member_id AND e.kind::text = 'renewal'
                      AND e.first_day BETWEEN %(start)s::date AND %(end)s::date
                      -- A plan that was corrected may owe more than it did: any allowance it ever had, to be sure.
                      AND e.amount < coalesce(
                          (SELECT pg_catalog.max(p.allowance) FROM renewer.plan AS p WHERE p.code = e.plan), e.amount + 1)))
       ) AS members
FROM looked AS k;
