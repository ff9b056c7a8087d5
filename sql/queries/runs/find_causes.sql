-- Find why members fail: a row a cause, the one of most members first.
--
-- Parameters: most integer: how many failures are looked at
-- Returns:    code, plan, timezone, members, parked, example: the least member_id of them, message: theirs,
--             first_failed_at, next_try_at: null when all are parked
-- Locks:      none
-- Index:      failure_pkey; member_pkey, looked up for each: a join would read all members when a thousand of them fail
-- Reads:      10 rows, 2 for each failing
SELECT g.code, g.plan, g.timezone, g.members, g.parked, g.example, g.message, g.first_failed_at, g.next_try_at
FROM (
    SELECT w.code, w.plan, w.timezone, pg_catalog.count(*) AS members,
           pg_catalog.count(*) FILTER (WHERE w.parked) AS parked,
           pg_catalog.min(w.member_id) AS example,
           (pg_catalog.array_agg(w.message ORDER BY w.member_id))[1] AS message,
           pg_catalog.min(w.first_failed_at) AS first_failed_at,
           pg_catalog.min(w.retry_at) FILTER (WHERE NOT w.parked) AS next_try_at
    FROM (
        SELECT f.member_id, f.code, f.plan, f.timezone, f.message, f.first_failed_at, s.parked, s.retry_at
        FROM (
            SELECT l.member_id, l.code, l.plan, l.timezone, l.message, l.first_failed_at
            FROM renewer.failure AS l
            ORDER BY l.member_id
            LIMIT %(most)s::integer) AS f
        CROSS JOIN LATERAL (
            SELECT m.parked, m.retry_at
            FROM renewer.member AS m
            WHERE m.member_id = f.member_id
            ORDER BY m.member_id
            LIMIT 1) AS s) AS w
    GROUP BY w.code, w.plan, w.timezone) AS g
ORDER BY g.members DESC, g.code, g.plan, g.timezone
LIMIT 50;
