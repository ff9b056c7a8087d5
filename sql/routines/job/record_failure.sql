-- Record why a member could not be renewed and when it is tried again.
--
-- Parameters: id, the member; error_code and error_message, for a person; retry_at; run
-- Returns:    nothing; a member whose row another transaction holds is left due, and the next pass sees it again
-- Locks:      the member's row, to the end of the caller's transaction
CREATE OR REPLACE FUNCTION renewer.record_failure(
    id text, error_code text, error_message text, error_plan text, error_timezone text, retry_at timestamptz, run bigint)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM renewer.member AS m WHERE m.member_id = id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    INSERT INTO renewer.failure AS f (member_id, code, message, plan, timezone, next_try_at, run_id)
    VALUES (id, error_code, error_message, error_plan, error_timezone, retry_at, run)
    ON CONFLICT ON CONSTRAINT failure_pkey DO UPDATE
    SET code = excluded.code, message = excluded.message, plan = excluded.plan,
        timezone = excluded.timezone, next_try_at = excluded.next_try_at,
        run_id = excluded.run_id, attempts = f.attempts + 1, last_failed_at = now();

    UPDATE renewer.member AS m SET due_at = retry_at WHERE m.member_id = id AND m.due_at IS NOT NULL;
END
$$;
