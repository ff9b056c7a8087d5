-- Find who keeps the feed from going on: a transaction that called tick() and is left open.
--
-- A tick made by itself holds the feed's row for milliseconds, and follows what was posted within seconds.
-- Returns:    one row, process and login, both null of a prepared transaction; none: nobody does
-- Locks:      none
-- Index:      tick_pkey
-- Reads:      10 rows
SELECT l.pid AS process, a.usename::text AS login
FROM renewer.feed AS f
JOIN pg_catalog.pg_locks AS l
    ON l.locktype = 'transactionid' AND l.transactionid = f.xmax AND l.granted AND l.mode = 'ExclusiveLock'
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE coalesce(
    (SELECT t.ticked_at FROM renewer.tick AS t ORDER BY t.number DESC LIMIT 1)
        <= pg_catalog.clock_timestamp() - interval '1 minute', true);
