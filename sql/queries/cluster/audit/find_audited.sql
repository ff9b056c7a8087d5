-- Find every member with their awards of a range, as audit/find_audited does, where members are spread over nodes.
--
-- Why:        a cluster plans no lateral look-up in the view award, which joins two spread tables
-- Parameters: start, end date, the range
-- Returns:    as audit/find_audited
-- Locks:      none
-- Index:      member_pkey; ledger_entry_boundary_key, all of it
SELECT m.*, a.awards
FROM renewer.member AS m
LEFT JOIN (
    SELECT w.member_id, pg_catalog.json_agg(pg_catalog.json_build_array(
               pg_catalog.json_build_array(w.first_day, w.last_day, w.anchor_on, w.cycle_n, w.plan), w.amount, w.reason,
               w.late, w.allowed, w.posted_at, w.run_id, w.late_run_id) ORDER BY w.first_day, w.seq) AS awards
    FROM renewer.award AS w
    JOIN (
        SELECT e.member_id,
               pg_catalog.max(e.first_day) FILTER (WHERE e.first_day < %(start)s::date) AS before_on,
               pg_catalog.min(e.first_day) FILTER (WHERE e.first_day > %(end)s::date) AS after_on
        FROM renewer.ledger_entry AS e
        WHERE e.kind::text = 'renewal'
        GROUP BY e.member_id) AS b ON b.member_id = w.member_id
    WHERE w.first_day >= coalesce(b.before_on, %(start)s::date) AND w.first_day <= coalesce(b.after_on, %(end)s::date)
    GROUP BY w.member_id) AS a ON a.member_id = m.member_id
ORDER BY m.member_id;
