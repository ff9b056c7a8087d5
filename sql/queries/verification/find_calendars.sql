-- Find every member's anchor, next boundary and the days they were renewed for.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns: member_id, anchor_on, timezone, boundary_timezone, cycle_n, first_boundary_on, renews_at, and of their
--          renewals, in the order they were posted, renewed_days, renewed_anchors, renewed_cycles and renewed_plans
-- Locks:   none
-- Index:   ledger_entry_pkey
SELECT m.member_id, m.anchor_on, m.timezone, m.boundary_timezone, m.cycle_n, m.first_boundary_on, m.renews_at,
       r.renewed_days, r.renewed_anchors, r.renewed_cycles, r.renewed_plans
FROM renewer.member AS m
LEFT JOIN (
    SELECT e.member_id, pg_catalog.array_agg(e.first_day ORDER BY e.seq) AS renewed_days,
           pg_catalog.array_agg(e.anchor_on ORDER BY e.seq) AS renewed_anchors,
           pg_catalog.array_agg(e.cycle_n ORDER BY e.seq) AS renewed_cycles,
           pg_catalog.array_agg(coalesce(e.plan, '') ORDER BY e.seq) AS renewed_plans
    FROM renewer.ledger_entry AS e
    WHERE e.kind::text = 'renewal'
      AND e.member_id > %(after)s::text AND (%(until)s::text IS NULL OR e.member_id <= %(until)s::text)
    GROUP BY e.member_id) AS r ON r.member_id = m.member_id
WHERE m.member_id > %(after)s::text AND (%(until)s::text IS NULL OR m.member_id <= %(until)s::text)
ORDER BY m.member_id;
