-- Find the members a pass could not renew, and why.
--
-- Parameters: limit integer; member, null for all
-- Returns:    member_id, code, message, plan, timezone, attempts, first_failed_at, last_failed_at, next_try_at, parked; the next to be
--             tried first, parked ones last
-- Locks:      none
SELECT f.member_id, f.code, f.message, f.plan, f.timezone, f.attempts, f.first_failed_at, f.last_failed_at, f.next_try_at, f.parked
FROM renewer.failure AS f
WHERE %(member)s::text IS NULL OR f.member_id = %(member)s::text
ORDER BY f.parked, f.next_try_at, f.member_id
LIMIT %(limit)s::integer;
