-- Find members by name, as members/find_members does, where members are spread over nodes.
--
-- Why:        only where every table is filtered by member are the nodes of other members not asked
-- Parameters: members text[]
-- Returns:    as find_due_members
-- Locks:      none; the posting checks the version
-- Index:      member_pkey; lot_open_idx; request_waiting_idx; failure_pkey
SELECT m.member_id, m.bucket, m.plan, m.anchor_on, m.timezone, m.status, m.balance, m.cycle_n, m.renews_at, m.last_seq,
       m.last_lot, m.version,
       CASE WHEN m.retry_at IS NULL AND NOT m.parked THEN 0 ELSE coalesce(f.attempts, 0) END AS attempts,
       m.cycle_first_day, m.cycle_last_day, m.first_boundary_on, m.last_boundary_at, m.cycle_ended_at, m.pending_plan,
       m.boundary_timezone, m.allowance_lot, m.changed, l.lots, r.requests, m.due_at, m.retry_at
FROM renewer.member AS m
LEFT JOIN renewer.failure AS f ON f.member_id = m.member_id AND f.member_id = ANY (%(members)s::text[])
LEFT JOIN (
    SELECT q.member_id, pg_catalog.json_agg(
               pg_catalog.json_build_array(q.reference, q.kind, q.content, q.at) ORDER BY q.at, q.number) AS requests
    FROM renewer.request AS q
    WHERE q.member_id = ANY (%(members)s::text[]) AND q.applied_at IS NULL
    GROUP BY q.member_id) AS r ON r.member_id = m.member_id
LEFT JOIN (
    SELECT i.member_id, pg_catalog.json_agg(
               pg_catalog.json_build_array(i.number, i.source, i.remaining, i.issued_at, i.expires_at)
               ORDER BY i.number) AS lots
    FROM renewer.lot AS i
    JOIN renewer.member AS h ON h.member_id = i.member_id AND h.member_id = ANY (%(members)s::text[])
    LEFT JOIN (
        SELECT w.member_id
        FROM renewer.request AS w
        WHERE w.member_id = ANY (%(members)s::text[]) AND w.applied_at IS NULL
        GROUP BY w.member_id) AS a ON a.member_id = i.member_id
    WHERE i.member_id = ANY (%(members)s::text[])
      AND (i.remaining::integer > 0
           OR a.member_id IS NOT NULL
              AND (i.number IN (h.allowance_lot, (h.changed ->> 'lot'::text)::integer)
                   OR (i.source::text = 'allowance' AND i.issued_at::timestamptz = h.last_boundary_at::timestamptz)))
    GROUP BY i.member_id) AS l ON l.member_id = m.member_id
WHERE m.member_id = ANY (%(members)s::text[])
ORDER BY m.member_id;
