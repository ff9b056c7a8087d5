-- Forget checks that began before a day.
--
-- Parameters: days integer: how long they are kept
DELETE FROM renewer.verification AS p WHERE p.began_at < pg_catalog.now() - make_interval(days => %(days)s::integer);
