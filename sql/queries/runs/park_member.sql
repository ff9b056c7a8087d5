-- Set a member who failed aside, until a person lets them be tried again.
--
-- Parameters: member
-- Locks:      the member's row
-- Index:      member_pkey
-- Reads:      1 row
UPDATE renewer.member AS m SET parked = true WHERE m.member_id = %(member)s::text;
