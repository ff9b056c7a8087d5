-- Write one member's planned posting inside the caller's transaction.
--
-- Parameters: posting jsonb, a renewer.planned; run_id bigint
-- Returns:    outcome: posted, busy or conflict
-- Locks:      as renewer.post_member
SELECT renewer.post_member(p, %(run_id)s::bigint) AS outcome
FROM pg_catalog.jsonb_populate_record(NULL::renewer.planned, %(posting)s::jsonb) AS p;
