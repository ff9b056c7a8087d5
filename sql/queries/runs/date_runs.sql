-- Date the passes that acted in another time by that time: of the demo, whose clock is its own.
--
-- Locks: the rows it changes
-- Index: none; the demo has few passes
UPDATE renewer.run
SET started_at = as_of, seen_at = as_of + (seen_at - started_at), finished_at = as_of + (finished_at - started_at)
WHERE started_at > as_of + make_interval(hours => 1) OR started_at < as_of - make_interval(hours => 1);
