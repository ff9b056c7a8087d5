-- Forget passes that began before a day.
--
-- Parameters: days integer: how long they are kept
DELETE FROM renewer.run AS p WHERE p.started_at < pg_catalog.now() - make_interval(days => %(days)s::integer);
