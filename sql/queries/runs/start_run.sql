-- Record that a pass begins.
--
-- Parameters: trigger, catch_up, as_of timestamptz, reason (null: none given)
-- Returns:    run_id
INSERT INTO renewer.run (trigger, catch_up, as_of, reason)
VALUES (%(trigger)s::text, %(catch_up)s::text, %(as_of)s::timestamptz, %(reason)s::text)
RETURNING run_id;
