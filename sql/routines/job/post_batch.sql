-- Write planned postings, one transaction per member: each commits, or fails, by itself.
--
-- Parameters: postings, an array of objects: member_id, version, retry_at and failed_before, with either
--             entries, new_lots, changed_lots and after, or, when planning failed, error_code and error_message
-- Returns:    outcomes, an array of member_id, outcome (busy, conflict, failed), code and message; posted members are not named
-- Locks:      one member's row at a time, skipped when another transaction holds it
-- Commits:    after every member, so it cannot be called inside a transaction. Each commit is asynchronous: a crash may
--             lose the last ones, whole members that are then still due. The caller ends with a synchronous write.
CREATE OR REPLACE PROCEDURE renewer.post_batch(postings jsonb, run bigint, INOUT outcomes jsonb)
LANGUAGE plpgsql
AS $$
DECLARE
    item    record;
    outcome text;
    failure text;
    code    text;
BEGIN
    outcomes := '[]';
    FOR item IN SELECT p.value AS posting FROM jsonb_array_elements(postings) AS p LOOP
        PERFORM set_config('synchronous_commit', 'off', true);
        code := item.posting ->> 'error_code';
        failure := item.posting ->> 'error_message';
        IF code IS NULL THEN
            BEGIN
                outcome := renewer.post_member(item.posting, run);
            EXCEPTION WHEN OTHERS THEN
                IF left(SQLSTATE, 2) IN ('25', '40', '53', '57', '58') OR SQLSTATE = '42501' THEN
                    RAISE;  -- the server's trouble (disk, read-only, privileges), not this member's
                END IF;
                code := SQLSTATE;
                failure := SQLERRM;
            END;
        END IF;
        IF code IS NOT NULL THEN
            outcome := 'failed';
            PERFORM renewer.record_failure(
                item.posting ->> 'member_id', code, failure, item.posting ->> 'error_plan',
                item.posting ->> 'error_timezone', (item.posting ->> 'retry_at')::timestamptz, run);
        END IF;
        IF outcome <> 'posted' THEN
            outcomes := outcomes || jsonb_build_object(
                'member_id', item.posting ->> 'member_id', 'outcome', outcome, 'code', code, 'message', failure);
        END IF;
        COMMIT;
    END LOOP;
END
$$;
