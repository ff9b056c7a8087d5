-- Count the members, unless somebody did lately.
--
-- Parameters: at timestamptz; minutes integer: how old a census has to be before the next is taken,
--             most integer: how many members without a rule are named, of each status and plan
-- Locks:      none; the caller holds the lease of the census
-- Index:      census_pkey; member_due_idx for what becomes due; the rest reads all members, once, and once more for each
--             status and plan with a member whose next boundary has no rule
INSERT INTO renewer.census (taken_at, members, due, without_rule)
WITH ruled AS NOT MATERIALIZED (
    SELECT m.member_id, m.status::text AS status, m.plan, m.renews_at,
           -- The next boundary's day: two days before its instant it is nowhere later.
           m.status::text <> 'closed' AND (
               p.first_on IS NULL
               OR p.first_on > (m.renews_at AT TIME ZONE 'UTC')::date - 2
                  AND p.first_on > coalesce(m.cycle_last_day::date + 1, (m.renews_at AT TIME ZONE 'UTC')::date)) AS without_rule
    FROM renewer.member AS m
    LEFT JOIN (
        SELECT r.code, pg_catalog.min(r.effective_from) AS first_on
        FROM renewer.plan AS r
        GROUP BY r.code) AS p ON p.code = coalesce(m.pending_plan, m.plan))
SELECT %(at)s::timestamptz, g.members, d.due, g.without_rule
FROM (
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'status', t.status, 'plan', t.plan, 'members', t.members, 'without_rule', t.without_rule,
               'first_without_rule', f.members) ORDER BY t.status, t.plan), '[]') AS members,
           coalesce(sum(t.without_rule), 0) AS without_rule
    FROM (
        SELECT c.status, c.plan, pg_catalog.count(*) AS members,
               pg_catalog.count(*) FILTER (WHERE c.without_rule) AS without_rule
        FROM ruled AS c
        GROUP BY c.status, c.plan) AS t
    CROSS JOIN LATERAL (
        SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                   'member_id', w.member_id,
                   -- A time no calendar holds is told as the first or last day of all.
                   'renews_at', least(greatest(w.renews_at, '0001-01-02 00:00:00+00'), '9999-12-30 00:00:00+00'))
                   ORDER BY w.renews_at, w.member_id), '[]') AS members
        FROM (
            SELECT c.member_id, c.renews_at
            FROM ruled AS c
            WHERE t.without_rule > 0 AND c.without_rule AND c.status = t.status AND c.plan = t.plan
            ORDER BY c.renews_at, c.member_id
            LIMIT %(most)s::integer) AS w) AS f) AS g
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
WHERE NOT EXISTS (
    SELECT FROM renewer.census AS c WHERE c.taken_at > %(at)s::timestamptz - make_interval(mins => %(minutes)s::integer));
