-- Find members by name, with their open lots.
--
-- Parameters: members text[]
-- Returns:    as find_due_members
-- Locks:      none; the posting checks the version
-- Index:      member_pkey; lot_open_idx; failure_pkey
SELECT m.member_id, m.plan, m.anchor_on, m.timezone, m.status, m.balance, m.cycle_n, m.renews_at, m.due_at,
       m.last_seq, m.last_lot, m.version, coalesce(f.attempts, 0) AS attempts, l.lots
FROM renewer.member AS m
LEFT JOIN renewer.failure AS f ON f.member_id = m.member_id
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(o.number, o.source, o.remaining, o.issued_at, o.expires_at)
                    ORDER BY o.number) AS lots
    FROM renewer.lot AS o
    WHERE o.member_id = m.member_id AND o.remaining > 0) AS l
WHERE m.member_id = ANY (%(members)s::text[])
ORDER BY m.member_id;
