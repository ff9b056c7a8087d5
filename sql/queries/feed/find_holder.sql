-- Find who keeps the feed from going on: a transaction that called tick() and is left open.
--
-- A tick made by itself holds the feed's row for milliseconds, and follows what was posted within seconds.
-- Returns: one row, process and login, both null of a prepared transaction; none: nobody does
-- Locks:   none
SELECT l.pid AS process, a.usename::text AS login
FROM renewer.feed AS f
JOIN pg_catalog.pg_locks AS l
    ON l.locktype = 'transactionid' AND l.transactionid = f.xmax AND l.granted AND l.mode = 'ExclusiveLock'
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE NOT EXISTS (
    SELECT FROM renewer.tick AS t WHERE t.ticked_at > pg_catalog.clock_timestamp() - interval '1 minute');
