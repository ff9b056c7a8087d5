-- Find what each boundary on record brought, what was made up for later included.
--
-- Parameters: members text[]; start, end date: of cycles whose first day lies between them, null for no limit
-- Returns:    member_id, seq, first_day, anchor_on, cycle_n, plan, amount, reason, late (null: nothing), awarded_at (when the
--             entries occurred and their passes acted), posted_at; in the order of their posting
-- Locks:      none
-- Index:      ledger_entry_boundary_key; run_pkey
SELECT e.member_id, e.seq, e.first_day, e.anchor_on, e.cycle_n, e.plan, e.amount, e.reason, l.amount AS late,
       pg_catalog.array_remove(ARRAY[e.occurred_at, r.as_of, l.occurred_at, s.as_of], NULL) AS awarded_at,
       greatest(e.posted_at, l.posted_at) AS posted_at
FROM renewer.ledger_entry AS e
LEFT JOIN renewer.ledger_entry AS l
    ON l.member_id = e.member_id AND l.first_day = e.first_day AND l.kind = 'late_renewal'
LEFT JOIN renewer.run AS r ON r.run_id = e.run_id
LEFT JOIN renewer.run AS s ON s.run_id = l.run_id
WHERE e.member_id = ANY (%(members)s::text[])
  AND e.kind = 'renewal'
  AND (%(start)s::date IS NULL OR e.first_day >= %(start)s::date)
  AND (%(end)s::date IS NULL OR e.first_day <= %(end)s::date)
ORDER BY e.member_id, e.seq;
