-- A member as the planner reads it: the fields of Member (rules/ledger.py) in its order, then due_at, to page by, and retry_at.
--
-- lots:     lots with Connects left, as arrays, oldest first; a member with waiting requests also has the used-up lots that
--           a change of plan may credit
-- requests: waiting requests, as arrays, oldest first; null: none
-- attempts: failed tries since the last success
CREATE OR REPLACE VIEW renewer.member_state AS
SELECT m.member_id, m.bucket, m.plan, m.anchor_on, m.timezone, m.status, m.balance, m.cycle_n, m.renews_at, m.last_seq,
       m.last_lot, m.version,
       -- Only a member that failed has a row to look for.
       CASE WHEN m.retry_at IS NULL AND NOT m.parked THEN 0
            ELSE coalesce((SELECT f.attempts FROM renewer.failure AS f WHERE f.member_id = m.member_id), 0)
       END AS attempts,
       m.cycle_first_day, m.cycle_last_day, m.first_boundary_on, m.last_boundary_at, m.cycle_ended_at, m.pending_plan,
       m.boundary_timezone, m.allowance_lot, m.changed, l.lots, r.requests, m.due_at, m.retry_at
FROM renewer.member AS m
CROSS JOIN LATERAL (
    SELECT pg_catalog.json_agg(
               pg_catalog.json_build_array(q.reference, q.kind, q.content, q.at) ORDER BY q.at, q.number) AS requests
    FROM renewer.request AS q
    WHERE m.last_request > 0 AND q.member_id = m.member_id AND q.applied_at IS NULL) AS r
CROSS JOIN LATERAL (
    SELECT pg_catalog.json_agg(
               pg_catalog.json_build_array(o.number, o.source, o.remaining, o.issued_at, o.expires_at)
               ORDER BY o.number) AS lots
    FROM (
        SELECT i.number, i.source, i.remaining, i.issued_at, i.expires_at
        FROM renewer.lot AS i
        WHERE i.member_id = m.member_id AND i.remaining > 0
        UNION ALL
        SELECT i.number, i.source, i.remaining, i.issued_at, i.expires_at
        FROM renewer.lot AS i
        WHERE r.requests IS NOT NULL AND i.member_id = m.member_id AND i.remaining = 0
          AND (i.number IN (m.allowance_lot, (m.changed ->> 'lot')::integer)
               OR (i.source = 'allowance' AND i.issued_at = m.last_boundary_at))) AS o) AS l;
