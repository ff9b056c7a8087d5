-- Find the members who could not be posted, and why.
--
-- Parameters: limit integer; member, null for all
-- Returns:    member_id, code, message, plan, timezone, attempts, first_failed_at, last_failed_at, retry_at, parked; the
--             next to be tried first, parked ones last
-- Locks:      none
-- Index:      failure_pkey; member_pkey, looked up for each: a join would read all members when a thousand of them fail
-- Reads:      10 rows, 2 for each failing
SELECT f.member_id, f.code, f.message, f.plan, f.timezone, f.attempts, f.first_failed_at, f.last_failed_at,
       coalesce(m.retry_at, f.last_failed_at) AS retry_at,
       m.parked
FROM renewer.failure AS f
CROSS JOIN LATERAL (
    SELECT s.parked, s.retry_at
    FROM renewer.member AS s
    WHERE s.member_id = f.member_id
    ORDER BY s.member_id
    LIMIT 1) AS m
WHERE %(member)s::text IS NULL OR f.member_id = %(member)s::text
ORDER BY m.parked, m.retry_at, f.member_id
LIMIT %(limit)s::integer;
