-- Find how the passes over everybody stand.
--
-- Returns: one row: succeeded_at, the end of the last that was finished, not stopped, and acted at the hour it ran in,
--          running, whether one is under way, and began_at, when the oldest of those began, else the last. Null: none
-- Locks:   none
-- Index:   run_success_idx; run_started_idx
-- Reads:   100 rows
SELECT s.succeeded_at, coalesce(p.running, false) AS running, coalesce(p.running_since, p.last_began_at) AS began_at
FROM (
    SELECT (
        SELECT r.finished_at
        FROM renewer.run AS r
        WHERE r.finished_at IS NOT NULL AND NOT r.stopped AND NOT r.named AND r.trigger IN ('schedule', 'manual')
          AND r.as_of > r.started_at - make_interval(hours => 1)
        ORDER BY r.finished_at DESC, r.run_id DESC
        LIMIT 1) AS succeeded_at) AS s
CROSS JOIN (
    SELECT pg_catalog.bool_or(q.running) AS running,
           pg_catalog.min(q.started_at) FILTER (WHERE q.running) AS running_since,
           pg_catalog.max(q.started_at) AS last_began_at
    FROM (
        SELECT r.started_at,
               r.finished_at IS NULL AND r.seen_at > clock_timestamp() - make_interval(secs => 60) AS running
        FROM renewer.run AS r
        WHERE NOT r.named AND r.trigger IN ('schedule', 'manual')
        ORDER BY r.started_at DESC, r.run_id DESC
        LIMIT 20) AS q) AS p;
