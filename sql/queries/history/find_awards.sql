-- Find what each boundary on record brought, what was made up for later included.
--
-- Parameters: members text[]; start, end date: of cycles whose first day lies between them, null for no limit
-- Returns:    member_id, seq, first_day, last_day, anchor_on, cycle_n, plan, amount, reason, late (null: nothing), awarded_at (when the
--             entries occurred and their passes acted), posted_at; in the order of their posting
-- Locks:      none
-- Index:      ledger_entry_boundary_key; ledger_entry_pkey; run_pkey. What belongs to a renewal is looked up for each: a
--             join would be planned by how many entries the member has, and read all renewals and runs for one who has
--             many
-- Reads:      10 rows, 1 for each entry, 3 for each returned
SELECT e.member_id, e.seq, e.first_day, e.last_day, e.anchor_on, e.cycle_n, e.plan, e.amount, e.reason, l.amount AS late,
       pg_catalog.array_remove(ARRAY[
           e.occurred_at, (SELECT r.as_of FROM renewer.run AS r WHERE r.run_id = e.run_id),
           l.occurred_at, (SELECT s.as_of FROM renewer.run AS s WHERE s.run_id = l.run_id)], NULL) AS awarded_at,
       greatest(e.posted_at, l.posted_at) AS posted_at
FROM renewer.ledger_entry AS e
LEFT JOIN LATERAL (
    SELECT k.amount, k.occurred_at, k.posted_at, k.run_id
    FROM renewer.ledger_entry AS k
    WHERE k.member_id = e.member_id AND k.first_day = e.first_day AND k.kind::text = 'late_renewal'
    ORDER BY k.seq
    LIMIT 1) AS l ON true
WHERE e.member_id = ANY (%(members)s::text[])
  AND e.kind::text = 'renewal'
  AND (%(start)s::date IS NULL OR e.first_day >= %(start)s::date)
  AND (%(end)s::date IS NULL OR e.first_day <= %(end)s::date)
ORDER BY e.member_id, e.seq;
