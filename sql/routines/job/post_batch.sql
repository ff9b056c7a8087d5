-- Write planned postings, one transaction per member: each commits, or fails, by itself.
--
-- Parameters: key, a member of the batch, whose members are all of one bucket (a sharded database finds the node by it);
--             postings, an array of renewer.planned as JSON: one with an error_code could not be planned, and its failure
--             is recorded instead; run, the pass that posts
-- Returns:    outcomes, an array of member_id, outcome (busy, conflict, failed), code and message; posted members are not
--             named
-- Locks:      one member's row at a time, skipped when another transaction holds it
-- Commits:    after every member, so it cannot be called inside a transaction. Each commit is asynchronous: a crash may
--             lose the last ones, whole members that are then still due. The caller ends with a synchronous write.
-- Errors:     a value that JSON has and SQL cannot read ends the call before anything is written; trouble of the server
--             (disk, read-only, shutdown, privileges) ends it between two members
CREATE OR REPLACE PROCEDURE renewer.post_batch(
    key text, postings jsonb, run bigint, INOUT outcomes jsonb)
LANGUAGE plpgsql
AS $$
DECLARE
    planned renewer.planned;
    outcome text;
BEGIN
    outcomes := '[]';
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        -- A role may be set to another isolation: then a member somebody changed would be an error.
        COMMIT;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    END IF;
    FOR planned IN SELECT p.* FROM pg_catalog.jsonb_populate_recordset(NULL::renewer.planned, postings) AS p LOOP
        SET LOCAL synchronous_commit = off;
        IF planned.error_code IS NULL THEN
            BEGIN
                outcome := renewer.post_member(planned, run);
            EXCEPTION WHEN OTHERS THEN
                IF pg_catalog.left(SQLSTATE, 2) IN ('25', '53', '57', '58') OR SQLSTATE = '42501' THEN
                    RAISE;  -- the server's trouble (disk, read-only, privileges), not this member's
                ELSIF pg_catalog.left(SQLSTATE, 2) = '40' OR SQLSTATE = '55P03' THEN
                    outcome := 'busy';  -- a deadlock, a lock somebody else holds
                ELSE
                    planned.error_code := SQLSTATE;
                    -- A node of a cluster adds the number of the shard to a name.
                    planned.error_message := pg_catalog.regexp_replace(
                        SQLERRM, '(constraint|relation) "([a-z_]+)_[0-9]+"', '\1 "\2"', 'g');
                END IF;
            END;
        END IF;
        IF planned.error_code IS NOT NULL THEN
            outcome := renewer.record_failure(planned, run);
        END IF;
        IF outcome <> 'posted' THEN
            outcomes := outcomes || pg_catalog.jsonb_build_object(
                'member_id', planned.member_id, 'outcome', outcome, 'code', planned.error_code,
                'message', planned.error_message);
        END IF;
        COMMIT AND CHAIN;  -- with the same isolation
    END LOOP;
END
$$;
