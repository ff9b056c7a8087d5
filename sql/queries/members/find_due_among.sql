-- Find who of some members is due.
--
-- Parameters: members text[], as_of timestamptz, heed_retry boolean: whether one who failed waits for their next try
-- Returns:    member_id, in order
-- Locks:      none
-- Index:      member_pkey
-- Reads:      10 rows, 1 for each returned
SELECT m.member_id
FROM renewer.member AS m
WHERE m.member_id = ANY (%(members)s::text[])
  AND renewer.due_at(m.status, m.renews_at, m.lapses_at, m.requested_at,
                     CASE WHEN %(heed_retry)s::boolean THEN m.retry_at END, m.parked) <= %(as_of)s::timestamptz
ORDER BY m.member_id;
