-- Let a member who failed be tried again now, parked or not.
--
-- Parameters: member
-- Locks:      the member's row
-- Index:      member_pkey
-- Reads:      1 row
UPDATE renewer.member AS m
SET retry_at = least(m.retry_at, pg_catalog.now()), parked = false
WHERE m.member_id = %(member)s::text;
