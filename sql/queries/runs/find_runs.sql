-- Find the last passes.
--
-- Parameters: limit integer; before, the run_id of the last one not wanted, null: from the newest; run, null: any
-- Returns:    run_id, trigger, state (running, finished, stopped, interrupted), catch_up, reason, as_of, started_at,
--             seconds, and the counts; newest first
-- Locks:      none
-- Index:      run_started_idx; run_pkey
-- Reads:      10 rows, 2 for each returned
SELECT r.run_id, r.trigger,
       CASE WHEN r.finished_at IS NULL AND r.seen_at < clock_timestamp() - make_interval(secs => 60) THEN 'interrupted'
            WHEN r.finished_at IS NULL THEN 'running'
            WHEN r.stopped THEN 'stopped'
            ELSE 'finished' END AS state,
       r.catch_up, r.reason, r.as_of, r.started_at,
       extract(epoch FROM coalesce(r.finished_at, r.seen_at) - r.started_at)::double precision AS seconds,
       r.due, r.renewed, r.late, r.expired, r.applied, r.skipped, r.failed, r.entries
FROM renewer.run AS r
WHERE (%(run)s::bigint IS NULL OR r.run_id = %(run)s::bigint)
  AND (%(before)s::bigint IS NULL
       OR (r.started_at, r.run_id) < (
           SELECT b.started_at, b.run_id FROM renewer.run AS b WHERE b.run_id = %(before)s::bigint)
       -- One that was forgotten meanwhile.
       OR r.run_id < %(before)s::bigint
          AND NOT EXISTS (SELECT FROM renewer.run AS c WHERE c.run_id = %(before)s::bigint))
ORDER BY r.started_at DESC, r.run_id DESC
LIMIT %(limit)s::integer;
