-- Find what of the ended cycle a member's last boundary carried and lost; a change of plan is none.
--
-- Parameters: member
-- Returns:    no row, or first_day, plan, lost (expired with the cycle) and carried (in rollover lots right after it)
-- Locks:      none
-- Index:      ledger_entry_pkey; lot_pkey
-- Reads:      10 rows, 3 for each entry
SELECT r.first_day, r.plan,
       (SELECT coalesce(-sum(e.amount), 0) FROM renewer.ledger_entry AS e
        WHERE e.member_id = r.member_id AND e.member_id = %(member)s::text AND e.seq < r.seq
          AND e.kind::text = 'expiry' AND e.reason = 'not_carried'
          AND e.occurred_at::timestamptz = r.occurred_at::timestamptz)::integer AS lost,
       (SELECT coalesce(sum(e.amount), 0) FROM renewer.ledger_entry AS e
        JOIN renewer.lot AS l ON l.member_id = e.member_id AND l.member_id = %(member)s::text AND l.number = e.lot
        WHERE e.member_id = r.member_id AND e.member_id = %(member)s::text AND e.seq < r.seq
          AND l.source::text = 'rollover')::integer AS carried
FROM renewer.ledger_entry AS r
WHERE r.member_id = %(member)s::text AND r.kind::text = 'renewal' AND r.reason IS DISTINCT FROM 'plan_changed'
ORDER BY r.seq DESC
LIMIT 1;
