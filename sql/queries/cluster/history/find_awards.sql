-- Find what each boundary on record brought, as history/find_awards does, where members are spread over nodes.
--
-- Why:        run stays on the coordinator, and a cluster joins it only as rows that were read before
-- Parameters: as history/find_awards
-- Returns:    as history/find_awards
-- Locks:      none
-- Index:      ledger_entry_boundary_key
WITH passed AS MATERIALIZED (SELECT r.run_id, r.as_of FROM renewer.run AS r)
SELECT e.member_id, e.seq, e.first_day, e.last_day, e.anchor_on, e.cycle_n, e.plan, e.amount, e.reason, l.amount AS late,
       pg_catalog.array_remove(ARRAY[e.occurred_at, r.as_of, l.occurred_at, s.as_of], NULL) AS awarded_at,
       greatest(e.posted_at, l.posted_at) AS posted_at
FROM renewer.ledger_entry AS e
LEFT JOIN renewer.ledger_entry AS l
    ON l.member_id = e.member_id AND l.member_id = ANY (%(members)s::text[]) AND l.first_day = e.first_day
       AND l.kind::text = 'late_renewal'
LEFT JOIN passed AS r ON r.run_id = e.run_id
LEFT JOIN passed AS s ON s.run_id = l.run_id
WHERE e.member_id = ANY (%(members)s::text[])
  AND e.kind::text = 'renewal'
  AND (%(start)s::date IS NULL OR e.first_day >= %(start)s::date)
  AND (%(end)s::date IS NULL OR e.first_day <= %(end)s::date)
ORDER BY e.member_id, e.seq;
