-- Let members who failed for want of a plan be tried again now, and announce them; who is parked waits for a person.
--
-- Parameters: codes text[], the plans that were loaded
-- Returns:    one row per member
-- Locks:      the members' rows
-- Index:      failure_pkey; member_pkey
WITH tried AS (
    UPDATE renewer.member AS m
    SET retry_at = least(m.retry_at, pg_catalog.now())
    FROM renewer.failure AS f
    WHERE f.plan = ANY (%(codes)s::text[]) AND m.member_id = f.member_id AND NOT m.parked
    RETURNING m.member_id)
SELECT t.member_id, pg_catalog.pg_notify('renewer_due', t.member_id) AS announced FROM tried AS t;
