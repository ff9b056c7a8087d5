-- Move a member's next boundary to where the calendar has it now.
--
-- Parameters: member; found timestamptz, the boundary as it was read; renews_at timestamptz, as it should be
-- Returns:    one row when it was moved, none when the member has changed meanwhile
-- Locks:      the member's row
-- Index:      member_pkey
UPDATE renewer.member AS m
SET renews_at = %(renews_at)s::timestamptz, version = m.version + 1
WHERE m.member_id = %(member)s::text AND m.renews_at::timestamptz = %(found)s::timestamptz
RETURNING m.member_id;
