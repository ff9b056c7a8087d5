-- Write what of a member changes seldom: by requests, and by the boundaries at which one takes effect.
--
-- Parameters: id, the member; profile and after, as in post_member
-- Locks:      the member's row, held by post_member
CREATE OR REPLACE FUNCTION renewer.post_profile(id text, profile jsonb, after jsonb)
RETURNS void
LANGUAGE sql
AS $$
UPDATE renewer.member AS m
SET plan = p.plan, anchor_on = p.anchor_on, timezone = p.timezone, status = p.status,
    first_boundary_on = p.first_boundary_on, pending_plan = p.pending_plan, boundary_timezone = p.boundary_timezone,
    changed = nullif(p.changed, 'null'), cycle_n = (after ->> 'cycle_n')::integer,
    due_at = (after ->> 'due_at')::timestamptz
FROM jsonb_to_record(profile) AS p
    (plan text, anchor_on date, timezone text, status text, first_boundary_on date, pending_plan text,
     boundary_timezone text, changed jsonb)
WHERE m.member_id = id;
$$;
