-- Record that a pass begins.
--
-- Parameters: trigger, catch_up, as_of timestamptz, reason (null: none given), named boolean (an explicit list of members)
-- Returns:    run_id
INSERT INTO renewer.run (trigger, catch_up, as_of, reason, named)
VALUES (%(trigger)s::text, %(catch_up)s::text, %(as_of)s::timestamptz, %(reason)s::text, %(named)s::boolean)
RETURNING run_id;
