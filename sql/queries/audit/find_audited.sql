-- Find every member with their awards of the cycles that begin in a range, and the award before and the one after.
--
-- Parameters: start, end date, the range
-- Returns:    one row per member, by member_id: the columns of member; awards, an array of arrays, oldest cycle first
-- Locks:      none
-- Index:      member_pkey; ledger_entry_boundary_key
SELECT m.*, a.awards
FROM renewer.member AS m
CROSS JOIN LATERAL (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
               pg_catalog.json_build_array(w.first_day, w.last_day, w.anchor_on, w.cycle_n, w.plan), w.amount, w.reason,
               w.late, w.allowed, w.posted_at, w.run_id, w.late_run_id) ORDER BY w.first_day, w.seq) AS awards
    FROM renewer.award AS w
    WHERE w.member_id = m.member_id
      AND w.first_day >= coalesce(
          (SELECT pg_catalog.max(e.first_day) FROM renewer.ledger_entry AS e
           WHERE e.member_id = m.member_id AND e.kind::text = 'renewal' AND e.first_day < %(start)s::date), %(start)s::date)
      AND w.first_day <= coalesce(
          (SELECT pg_catalog.min(e.first_day) FROM renewer.ledger_entry AS e
           WHERE e.member_id = m.member_id AND e.kind::text = 'renewal' AND e.first_day > %(end)s::date), %(end)s::date)) AS a
ORDER BY m.member_id;
