-- Find due members of one bucket, longest due first, at the shard of the cluster that holds it.
--
-- A bucket lies in one shard, whose table is asked by its own name: the coordinator would ask every node for it.
-- Parameters: as members/find_due_members
-- Returns:    one row: node; success; result: an array of member_id and due_at as JSON, or what is wrong with the node
-- Locks:      none; the posting checks the version
-- Index:      member_due_idx
SELECT pg_catalog.concat(n.nodename, ':', n.nodeport) AS node, r.success, r.result
FROM pg_catalog.pg_dist_shard AS s
JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = s.shardid
JOIN pg_catalog.pg_dist_node AS n ON n.groupid = p.groupid AND n.noderole = 'primary'::noderole
CROSS JOIN LATERAL pg_catalog.master_run_on_worker(
    ARRAY[n.nodename::text], ARRAY[n.nodeport], ARRAY[pg_catalog.format(
        'SELECT pg_catalog.json_agg(pg_catalog.json_build_array('
        '    d.member_id, greatest(d.due_at, ''0001-01-02 00:00:00+00'')) ORDER BY d.due_at, d.member_id) '
        'FROM (SELECT m.member_id, m.due_at FROM %%s AS m WHERE m.bucket = %%s::smallint '
        '      AND m.due_at <= %%L::timestamptz AND (m.retry_at IS NULL OR m.retry_at <= %%L::timestamptz) '
        '      AND (m.due_at, m.member_id) > (%%L::timestamptz, %%L::text) '
        '      ORDER BY m.due_at, m.member_id LIMIT %%s) AS d',
        pg_catalog.shard_name(s.logicalrelid, s.shardid), %(bucket)s::smallint, %(as_of)s::timestamptz,
        %(retry_until)s::timestamptz, %(after_due_at)s::timestamptz, %(after_member_id)s::text, %(limit)s::integer)],
    false) AS r
WHERE s.logicalrelid = 'renewer.member'::regclass
  -- A bucket is the first six bits of the hash by which members are spread.
  AND (%(bucket)s::bigint << 26) - 2147483648 BETWEEN s.shardminvalue::bigint AND s.shardmaxvalue::bigint;
