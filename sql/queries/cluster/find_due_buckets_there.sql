-- Find the buckets that hold a due member, asked node by node: one that does not answer keeps no other from it.
--
-- Parameters: as_of timestamptz
-- Returns:    one row per node: node; success; result: an array of buckets as JSON, or what is wrong with the node
-- Locks:      none
-- Index:      member_due_idx
SELECT n.node, r.success, r.result
FROM (
    SELECT pg_catalog.concat(w.nodename, ':', w.nodeport) AS node, w.nodename::text AS host, w.nodeport AS port,
           'SELECT pg_catalog.json_agg(d.bucket) FROM (' || pg_catalog.string_agg(
               pg_catalog.format('SELECT DISTINCT m.bucket FROM %%s AS m WHERE m.due_at <= %%L::timestamptz',
                                 pg_catalog.shard_name(s.logicalrelid, s.shardid), %(as_of)s::timestamptz),
               ' UNION ALL ') || ') AS d' AS asked
    FROM pg_catalog.pg_dist_shard AS s
    JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = s.shardid
    JOIN pg_catalog.pg_dist_node AS w ON w.groupid = p.groupid AND w.noderole = 'primary'::noderole
    WHERE s.logicalrelid = 'renewer.member'::regclass
    GROUP BY w.nodename, w.nodeport) AS n
CROSS JOIN LATERAL pg_catalog.master_run_on_worker(ARRAY[n.host], ARRAY[n.port], ARRAY[n.asked], false) AS r;
