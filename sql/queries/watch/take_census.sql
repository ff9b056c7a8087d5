-- Count the members, unless somebody did within the hour.
--
-- Parameters: at timestamptz
-- Locks:      none; the caller holds the lease of the census
-- Index:      census_pkey; member_due_idx for what becomes due; the rest reads all members, once
INSERT INTO renewer.census (taken_at, members, due, without_rule)
SELECT %(at)s::timestamptz, g.members, d.due, g.without_rule
FROM (
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'status', t.status, 'plan', t.plan, 'members', t.members) ORDER BY t.status, t.plan), '[]') AS members,
           coalesce(sum(t.without_rule), 0) AS without_rule
    FROM (
        SELECT m.status::text AS status, m.plan, pg_catalog.count(*) AS members,
               -- The next boundary's day: two days before its instant it is nowhere later.
               pg_catalog.count(*) FILTER (WHERE m.status <> 'closed' AND (
                   p.first_on IS NULL
                   OR p.first_on > (m.renews_at AT TIME ZONE 'UTC')::date - 2
                      AND p.first_on > coalesce((m.anchor_on + make_interval(months => m.cycle_n + 1))::date,
                                                (m.renews_at AT TIME ZONE 'UTC')::date))) AS without_rule
        FROM renewer.member AS m
        LEFT JOIN (
            SELECT r.code, pg_catalog.min(r.effective_from) AS first_on
            FROM renewer.plan AS r
            GROUP BY r.code) AS p ON p.code = coalesce(m.pending_plan, m.plan)
        GROUP BY m.status::text, m.plan) AS t) AS g
CROSS JOIN (
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('at', h.at, 'members', (
               SELECT pg_catalog.count(*)
               FROM pg_catalog.generate_series(0, 63) AS b (bucket)
               JOIN renewer.member AS m
                 ON m.bucket = b.bucket::smallint AND m.due_at >= h.at AND m.due_at < h.at + make_interval(hours => 1)))
               ORDER BY h.at) AS due
    FROM pg_catalog.generate_series(date_trunc('hour', %(at)s::timestamptz),
                                    date_trunc('hour', %(at)s::timestamptz) + make_interval(hours => 47),
                                    make_interval(hours => 1)) AS h (at)) AS d
WHERE NOT EXISTS (SELECT FROM renewer.census AS c WHERE c.taken_at > %(at)s::timestamptz - make_interval(mins => 50));
