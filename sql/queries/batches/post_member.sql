-- Write one member's planned posting inside the caller's transaction.
--
-- Parameters: posting jsonb, run_id bigint
-- Returns:    outcome: posted, busy or conflict
-- Locks:      as renewer.post_member
SELECT renewer.post_member(%(posting)s::jsonb, %(run_id)s::bigint) AS outcome;
