-- Record that a pass begins.
--
-- Parameters: trigger, catch_up, as_of timestamptz
-- Returns:    run_id
INSERT INTO renewer.run (trigger, catch_up, as_of)
VALUES (%(trigger)s::text, %(catch_up)s::text, %(as_of)s::timestamptz)
RETURNING run_id;
