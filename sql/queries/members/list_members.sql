-- List members in the order of their ids.
--
-- Parameters: plan, status text, null for any; after, the last member_id listed before; limit integer
-- Returns:    member_id, plan, status, anchor_on, timezone, balance, renews_at
-- Locks:      none
-- Index:      member_pkey
SELECT m.member_id, m.plan, m.status, m.anchor_on, m.timezone, m.balance, m.renews_at
FROM renewer.member AS m
WHERE m.member_id > %(after)s::text
  AND (%(plan)s::text IS NULL OR m.plan = %(plan)s::text)
  AND (%(status)s::text IS NULL OR m.status::text = %(status)s::text)
ORDER BY m.member_id
LIMIT %(limit)s::integer;
