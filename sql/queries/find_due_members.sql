-- Find due members of one shard, longest due first, with their open lots.
--
-- Parameters: shard smallint, as_of timestamptz, after_due_at timestamptz and after_member_id (where the last batch
--             ended), limit integer
-- Returns:    one row per member: state, version, attempts that failed, lots as a JSON array, oldest first
-- Locks:      none; the posting checks the version
-- Index:      member_due_idx; lot_open_idx; failure_pkey
SELECT m.member_id, m.plan, m.anchor_on, m.timezone, m.status, m.balance, m.cycle_n, m.renews_at, m.due_at,
       m.last_seq, m.last_lot, m.version, coalesce(f.attempts, 0) AS attempts, l.lots
FROM renewer.member AS m
LEFT JOIN renewer.failure AS f ON f.member_id = m.member_id
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(o.number, o.source, o.remaining, o.issued_at, o.expires_at)
                    ORDER BY o.number) AS lots
    FROM renewer.lot AS o
    WHERE o.member_id = m.member_id AND o.remaining > 0) AS l
WHERE m.shard = %(shard)s::smallint
  AND m.due_at <= %(as_of)s::timestamptz
  AND (m.due_at, m.member_id) > (%(after_due_at)s::timestamptz, %(after_member_id)s::text)
ORDER BY m.due_at, m.member_id
LIMIT %(limit)s::integer;
