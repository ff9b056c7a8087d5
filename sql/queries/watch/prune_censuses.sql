-- Forget censuses that were taken before a day.
--
-- Parameters: days integer: how long they are kept
DELETE FROM renewer.census AS p WHERE p.taken_at < pg_catalog.now() - make_interval(days => %(days)s::integer);
