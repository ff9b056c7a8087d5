-- Say when a member who failed is tried again: as soon as they are due, or not before a person says so.
--
-- Parameters: member; due_at timestamptz, null while parked; parked boolean
-- Locks:      the member's row and that of the failure
-- Index:      member_pkey; failure_pkey
WITH tried AS (
    UPDATE renewer.failure AS f
    SET parked = %(parked)s::boolean, next_try_at = coalesce(%(due_at)s::timestamptz, f.next_try_at)
    WHERE f.member_id = %(member)s::text)
UPDATE renewer.member AS m SET due_at = %(due_at)s::timestamptz WHERE m.member_id = %(member)s::text;
