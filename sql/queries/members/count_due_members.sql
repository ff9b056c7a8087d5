-- Count the members that are due.
--
-- Parameters: as_of timestamptz, members text[] (null: all)
-- Returns:    one row, due
-- Locks:      none
-- Index:      member_due_idx, one probe a bucket (before 18 it is not used without one), or member_pkey for named members
-- Reads:      10 rows, 1 for each due
SELECT pg_catalog.count(*) AS due
FROM renewer.member AS m
WHERE m.bucket = ANY ('{0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,
    32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63}'::smallint[])
  AND m.due_at <= %(as_of)s::timestamptz
  AND (%(members)s::text[] IS NULL OR m.member_id = ANY (%(members)s::text[]));
