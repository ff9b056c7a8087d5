-- Count the members, unless somebody did lately, where members are spread over nodes.
--
-- Why:        a cluster cannot push the counts for each hour and bucket, lateral joins of series, to its nodes
-- Parameters: as watch/take_census
-- Locks:      none; the caller holds the lease of the census
-- Index:      census_pkey; member_due_idx for what becomes due; the rest reads all members, twice
INSERT INTO renewer.census (taken_at, members, due, without_rule)
WITH ruled AS NOT MATERIALIZED (
    SELECT p.member_id, p.status, p.plan, p.renews_at,
           p.status <> 'closed' AND (
               p.first_on IS NULL
               OR p.first_on > p.next_on - 2 AND p.first_on > coalesce(p.next_day, p.next_on)) AS without_rule
    FROM (
        SELECT m.member_id, m.status::text AS status, m.plan, m.renews_at,
               (m.renews_at AT TIME ZONE 'UTC')::date AS next_on,
               m.cycle_last_day::date + 1 AS next_day,
               (SELECT pg_catalog.min(r.effective_from)
                FROM renewer.plan AS r
                WHERE r.code = coalesce(m.pending_plan, m.plan)) AS first_on
        FROM renewer.member AS m) AS p),
counted AS MATERIALIZED (
    SELECT c.status, c.plan, pg_catalog.count(*) AS members,
           pg_catalog.count(*) FILTER (WHERE c.without_rule) AS without_rule
    FROM ruled AS c
    GROUP BY c.status, c.plan),
-- Those of all statuses and plans together, of whom the first of each are named.
lacking AS MATERIALIZED (
    SELECT c.member_id, c.status, c.plan, c.renews_at
    FROM ruled AS c
    WHERE c.without_rule
    ORDER BY c.renews_at, c.member_id
    LIMIT 10000),
named AS (
    SELECT k.status, k.plan, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'member_id', k.member_id,
               'renews_at', least(greatest(k.renews_at, '0001-01-02 00:00:00+00'), '9999-12-30 00:00:00+00'))
               ORDER BY k.renews_at, k.member_id) AS members
    FROM (
        SELECT a.member_id, a.status, a.plan, a.renews_at,
               row_number() OVER (PARTITION BY a.status, a.plan ORDER BY a.renews_at, a.member_id) AS place
        FROM lacking AS a) AS k
    WHERE k.place <= %(most)s::integer
    GROUP BY k.status, k.plan),
hourly AS MATERIALIZED (
    SELECT floor(extract(epoch FROM m.due_at - date_trunc('hour', %(at)s::timestamptz)) / 3600)::integer AS hour,
           pg_catalog.count(*) AS members
    FROM renewer.member AS m
    WHERE m.due_at >= date_trunc('hour', %(at)s::timestamptz)
      AND m.due_at < date_trunc('hour', %(at)s::timestamptz) + make_interval(hours => 48)
    GROUP BY 1)
SELECT %(at)s::timestamptz, g.members, d.due, g.without_rule
FROM (
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'status', t.status, 'plan', t.plan, 'members', t.members, 'without_rule', t.without_rule,
               'first_without_rule', coalesce(f.members, '[]')) ORDER BY t.status, t.plan), '[]') AS members,
           coalesce(sum(t.without_rule), 0) AS without_rule
    FROM counted AS t
    LEFT JOIN named AS f ON f.status = t.status AND f.plan = t.plan) AS g
CROSS JOIN (
    SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
               'at', date_trunc('hour', %(at)s::timestamptz) + make_interval(hours => h.hour),
               'members', coalesce(o.members, 0)) ORDER BY h.hour) AS due
    FROM pg_catalog.generate_series(0, 47) AS h (hour)
    LEFT JOIN hourly AS o ON o.hour = h.hour) AS d
WHERE NOT EXISTS (
    SELECT c.taken_at FROM renewer.census AS c WHERE c.taken_at > %(at)s::timestamptz - make_interval(mins => %(minutes)s::integer));
