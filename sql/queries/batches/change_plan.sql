-- Let a plan begin with a member's next cycle.
--
-- Parameters: member, plan, reference, at timestamptz
-- Returns:    as renewer.change_plan
-- Locks:      as renewer.change_plan
SELECT c.balance, c.first_seq, c.last_seq, c.repeated
FROM renewer.change_plan(%(member)s::text, %(plan)s::text, 'next_cycle', %(reference)s::text, %(at)s::timestamptz) AS c;
