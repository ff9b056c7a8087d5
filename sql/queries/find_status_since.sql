-- Find when a member's status was last set.
--
-- Parameters: member
-- Returns:    one row: since, null when it never was
-- Locks:      none
-- Index:      request_pkey
SELECT max(r.at) AS since
FROM renewer.request AS r
WHERE r.member_id = %(member)s::text AND r.kind = 'set_status';
