-- Find since when a member has their present status, and whether their plan ever changed at once.
--
-- Parameters: member; as_of timestamptz
-- Returns:    one row: status_since (the first call of those in a row that asked for the same; null for none),
--             changed_plan
-- Locks:      none
-- Index:      request_pkey
-- Reads:      10 rows, 2 for each call
WITH asked AS (
    SELECT r.at, r.number, r.content ->> 'status'::text AS status
    FROM renewer.request AS r
    WHERE r.member_id = %(member)s::text AND r.kind::text = 'set_status' AND r.at <= %(as_of)s::timestamptz),
last AS (
    SELECT a.status FROM asked AS a ORDER BY a.at DESC, a.number DESC LIMIT 1),
before AS (
    SELECT a.at, a.number
    FROM asked AS a, last
    WHERE a.status <> last.status
    ORDER BY a.at DESC, a.number DESC
    LIMIT 1)
SELECT (SELECT pg_catalog.min(a.at) FROM asked AS a
        WHERE NOT EXISTS (SELECT FROM before AS b WHERE (a.at, a.number) <= (b.at, b.number))) AS status_since,
       EXISTS (SELECT FROM renewer.request AS r
               WHERE r.member_id = %(member)s::text AND r.kind::text = 'change_plan' AND r.applied_at IS NOT NULL
                 AND r.content ->> 'effective'::text = 'now') AS changed_plan;
