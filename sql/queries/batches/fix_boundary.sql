-- Move a member's next boundary to where the calendar has it now.
--
-- Parameters: member; found timestamptz, the boundary as it was read; renews_at timestamptz, as it should be
-- Returns:    one row when it was moved, none when the member has changed meanwhile
-- Locks:      the member's row and those of the lots the boundary ends
-- Index:      member_pkey; lot_pkey
WITH moved AS (
    UPDATE renewer.member AS m
    SET renews_at = %(renews_at)s::timestamptz, version = m.version + 1,
        due_at = CASE WHEN m.due_at IS NOT NULL THEN least(m.due_at, %(renews_at)s::timestamptz) END
    WHERE m.member_id = %(member)s::text AND m.renews_at = %(found)s::timestamptz
    RETURNING m.member_id),
ended AS (
    UPDATE renewer.lot AS l SET cycle_ends_at = %(renews_at)s::timestamptz
    FROM moved
    WHERE l.member_id = moved.member_id AND l.cycle_ends_at = %(found)s::timestamptz)
SELECT moved.member_id FROM moved;
