-- Thin old ticks: a tick a minute is kept of what is older than an hour, one an hour of what is older than a day.
--
-- No batch is lost: those between two ticks that are kept are one. The last tick is always kept.
-- Parameters: days integer: how long any is kept
-- Locks:      the ticks it takes away
-- Index:      tick_pkey
DELETE FROM renewer.tick AS t
USING (
    SELECT k.number,
           pg_catalog.lag(k.ticked_at) OVER (ORDER BY k.number) AS before_at,
           pg_catalog.lead(k.number) OVER (ORDER BY k.number) IS NULL AS is_last
    FROM renewer.tick AS k) AS o
WHERE t.number = o.number
  AND NOT o.is_last
  AND (t.ticked_at < pg_catalog.now() - make_interval(days => %(days)s::integer)
       OR (t.ticked_at < pg_catalog.now() - interval '1 day'
           AND pg_catalog.date_trunc('hour', t.ticked_at) = pg_catalog.date_trunc('hour', o.before_at))
       OR (t.ticked_at < pg_catalog.now() - interval '1 hour'
           AND pg_catalog.date_trunc('minute', t.ticked_at) = pg_catalog.date_trunc('minute', o.before_at)));
