-- Find when the next member becomes due, where members are spread over nodes.
--
-- Why:        a cluster cannot push the probe for each bucket, a lateral join of a series, to its nodes
-- Parameters: as_of timestamptz
-- Returns:    as members/find_next_due
-- Locks:      none
-- Index:      member_due_idx, all of it
SELECT pg_catalog.min(least(n.due_at, '9999-12-30 00:00:00+00')) AS due_at
FROM renewer.member AS n
WHERE n.due_at > %(as_of)s::timestamptz;
