-- Find why members fail, as runs/find_causes does, where members are spread over nodes.
--
-- Why:        a cluster plans no lateral look-up with a limit; it joins
-- Parameters: as runs/find_causes
-- Returns:    as runs/find_causes
-- Locks:      none
-- Index:      failure_pkey; member_pkey
SELECT w.code, w.plan, w.timezone, pg_catalog.count(*) AS members,
       pg_catalog.count(*) FILTER (WHERE w.parked) AS parked,
       pg_catalog.min(w.member_id) AS example,
       (pg_catalog.array_agg(w.message ORDER BY w.member_id))[1] AS message,
       pg_catalog.min(w.first_failed_at) AS first_failed_at,
       pg_catalog.min(w.retry_at) FILTER (WHERE NOT w.parked) AS next_try_at
FROM (
    SELECT f.member_id, f.code, f.plan, f.timezone, f.message, f.first_failed_at, m.parked, m.retry_at
    FROM renewer.failure AS f
    JOIN renewer.member AS m ON m.member_id = f.member_id
    ORDER BY f.member_id
    LIMIT %(most)s::integer) AS w
GROUP BY w.code, w.plan, w.timezone
ORDER BY pg_catalog.count(*) DESC, w.code, w.plan, w.timezone
LIMIT 50;
