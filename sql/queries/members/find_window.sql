-- Find the next members in the order of their ids.
--
-- Parameters: after, the last member looked at before; limit integer
-- Returns:    member_id, in order
-- Locks:      none
-- Index:      member_pkey
SELECT m.member_id
FROM renewer.member AS m
WHERE m.member_id > %(after)s::text
ORDER BY m.member_id
LIMIT %(limit)s::integer;
