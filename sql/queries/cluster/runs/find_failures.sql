-- Find the members who could not be posted, as runs/find_failures does, where members are spread over nodes.
--
-- Why:        only as a join is a named member asked for on one node
-- Parameters: as runs/find_failures
-- Returns:    as runs/find_failures
-- Locks:      none
-- Index:      failure_pkey; member_pkey
SELECT f.member_id, f.code, f.message, f.plan, f.timezone, f.attempts, f.first_failed_at, f.last_failed_at,
       coalesce(m.retry_at, f.last_failed_at) AS retry_at,
       m.parked
FROM renewer.failure AS f
JOIN renewer.member AS m ON m.member_id = f.member_id
WHERE %(member)s::text IS NULL OR f.member_id = %(member)s::text
ORDER BY m.parked, m.retry_at, f.member_id
LIMIT %(limit)s::integer;
