-- Find every member's anchor, next boundary and the days they were renewed for.
--
-- Returns: member_id, anchor_on, timezone, cycle_n, first_boundary_on, renews_at,
--          renewed_days date[] in the order they were posted
-- Locks:   none
-- Index:   ledger_entry_pkey
SELECT m.member_id, m.anchor_on, m.timezone, m.cycle_n, m.first_boundary_on, m.renews_at, r.days AS renewed_days
FROM renewer.member AS m
LEFT JOIN (
    SELECT e.member_id, array_agg(e.first_day ORDER BY e.seq) AS days
    FROM renewer.ledger_entry AS e
    WHERE e.kind = 'renewal'
    GROUP BY e.member_id) AS r ON r.member_id = m.member_id
ORDER BY m.member_id;
