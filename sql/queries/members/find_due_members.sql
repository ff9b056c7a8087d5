-- Find due members of one shard, longest due first, with their open lots.
--
-- Parameters: shard smallint, as_of timestamptz, after_due_at timestamptz and after_member_id (where the last batch
--             ended), limit integer
-- Returns:    one row per member: state, version, attempts that failed, lots and waiting requests as JSON arrays,
--             oldest first; used-up lots only for members with requests, which may fill them again
-- Locks:      none; the posting checks the version
-- Index:      member_due_idx; lot_open_idx; request_waiting_idx; failure_pkey
SELECT m.member_id, m.plan, m.anchor_on, m.timezone, m.status, m.balance, m.cycle_n, m.renews_at, m.due_at,
       m.last_seq, m.last_lot, m.version, m.first_boundary_on, m.last_boundary_at, m.pending_plan,
       m.boundary_timezone, m.allowance_lot, m.changed, coalesce(f.attempts, 0) AS attempts, l.lots, r.requests,
       m.last_request > 0 AS called
FROM renewer.member AS m
LEFT JOIN renewer.failure AS f ON f.member_id = m.member_id
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(q.reference, q.kind, q.content, q.at) ORDER BY q.at, q.number) AS requests
    FROM renewer.request AS q
    WHERE m.last_request > 0 AND q.member_id = m.member_id AND q.applied_at IS NULL) AS r
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(o.number, o.source, o.remaining, o.issued_at, o.expires_at, o.cycle_ends_at)
                    ORDER BY o.number) AS lots
    FROM (
        SELECT i.number, i.source, i.remaining, i.issued_at, i.expires_at, i.cycle_ends_at
        FROM renewer.lot AS i
        WHERE i.member_id = m.member_id AND i.remaining > 0
        UNION ALL
        SELECT i.number, i.source, i.remaining, i.issued_at, i.expires_at, i.cycle_ends_at
        FROM renewer.lot AS i
        WHERE r.requests IS NOT NULL AND i.member_id = m.member_id AND i.remaining = 0
          AND (i.number IN (m.allowance_lot, (m.changed ->> 'lot')::integer)
               OR (i.source = 'allowance' AND i.issued_at = m.last_boundary_at))
    ) AS o) AS l
WHERE m.shard = %(shard)s::smallint
  AND m.due_at <= %(as_of)s::timestamptz
  AND (m.due_at, m.member_id) > (%(after_due_at)s::timestamptz, %(after_member_id)s::text)
ORDER BY m.due_at, m.member_id
LIMIT %(limit)s::integer;
