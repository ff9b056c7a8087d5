-- Find what a cluster is: asked only where there is the extension citus.
--
-- Returns: one row: version, of the extension; leads, whether this is the coordinator; nodes, how many may hold members
--          and, null for none, away, the first node that does not answer, unset, the first where plans are kept, and
--          open, the first where every login may create functions in schema public
-- Locks:   none
SELECT pg_catalog.substring(pg_catalog.citus_version(), '\d+\.\d+\.\d+') AS version,
       (SELECT g.groupid = 0 FROM pg_catalog.pg_dist_local_group AS g) AS leads,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_dist_node AS n WHERE n.shouldhaveshards) AS nodes,
       pg_catalog.min(a.node) FILTER (WHERE NOT a.success) AS away,
       pg_catalog.min(a.node) FILTER (WHERE a.success AND a.result NOT LIKE 'force_custom_plan %') AS unset,
       pg_catalog.min(a.node) FILTER (WHERE a.success AND a.result LIKE '% 1') AS open
FROM (
    SELECT pg_catalog.concat(n.nodename, ':', n.nodeport) AS node, r.success, r.result
    FROM pg_catalog.run_command_on_all_nodes($$
        SELECT pg_catalog.concat(pg_catalog.current_setting('plan_cache_mode'), ' ', pg_catalog.count(*))
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = 'public' AND pg_catalog.has_schema_privilege('public', n.oid, 'CREATE')$$) AS r
    JOIN pg_catalog.pg_dist_node AS n ON n.nodeid = r.nodeid) AS a;
