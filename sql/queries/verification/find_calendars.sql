-- Find every member's anchor, next boundary and the days they were renewed for.
--
-- Returns: member_id, anchor_on, timezone, boundary_timezone, cycle_n, first_boundary_on, renews_at, due_at,
--          forgotten (due later than the next boundary or never, and no failure says why), and of their renewals, in
--          the order they were posted, renewed_days, renewed_anchors and renewed_cycles
-- Locks:   none
-- Index:   ledger_entry_pkey; failure_pkey
SELECT m.member_id, m.anchor_on, m.timezone, m.boundary_timezone, m.cycle_n, m.first_boundary_on, m.renews_at, m.due_at,
       m.status IN ('active', 'suspended') AND f.member_id IS NULL
           AND (m.due_at IS NULL OR m.due_at > m.renews_at) AS forgotten,
       r.renewed_days, r.renewed_anchors, r.renewed_cycles
FROM renewer.member AS m
LEFT JOIN (
    SELECT e.member_id, array_agg(e.first_day ORDER BY e.seq) AS renewed_days,
           array_agg(e.anchor_on ORDER BY e.seq) AS renewed_anchors,
           array_agg(e.cycle_n ORDER BY e.seq) AS renewed_cycles
    FROM renewer.ledger_entry AS e
    WHERE e.kind = 'renewal'
    GROUP BY e.member_id) AS r ON r.member_id = m.member_id
LEFT JOIN renewer.failure AS f ON f.member_id = m.member_id
ORDER BY m.member_id;
