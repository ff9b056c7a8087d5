-- Forget workers that gave no sign of life for a day.
DELETE FROM renewer.worker AS w WHERE w.seen_at < pg_catalog.now() - make_interval(days => 1);
