-- Record why a member could not be posted and when it is tried again.
--
-- Parameters: planned, with the error and retry_at; run, the pass that tried
-- Returns:    failed, busy (another transaction holds the row: still due, the next pass sees it) or conflict (the member
--             changed since it was planned: what failed may be mended by now)
-- Locks:      the member's row, to the end of the caller's transaction
CREATE OR REPLACE FUNCTION renewer.record_failure(planned renewer.planned, run bigint)
RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    current bigint;
BEGIN
    SELECT m.version INTO current
    FROM renewer.member AS m WHERE m.member_id = planned.member_id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 'busy';
    END IF;
    IF current <> planned.version THEN
        RETURN 'conflict';
    END IF;

    INSERT INTO renewer.failure AS f (member_id, code, message, plan, timezone, run_id)
    VALUES (planned.member_id, planned.error_code, planned.error_message, planned.error_plan, planned.error_timezone, run)
    ON CONFLICT ON CONSTRAINT failure_pkey DO UPDATE
    SET code = excluded.code, message = excluded.message, plan = excluded.plan, timezone = excluded.timezone,
        run_id = excluded.run_id, attempts = f.attempts + 1, last_failed_at = excluded.last_failed_at;

    UPDATE renewer.member AS m
    SET retry_at = planned.retry_at, version = m.version + 1
    WHERE m.member_id = planned.member_id;
    RETURN 'failed';
END
$$;
