-- Keep a call with its reference, content and result; one that needs a rule is left to the next pass and announced.
--
-- Parameters: as receive_request; applied, whether the call is done; first, last: the entries it posted, null for none
-- Returns:    one row: the member's balance, the entries, repeated = false
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.keep_request(
    id text, ref text, what text, details jsonb, happened_at timestamptz, applied boolean,
    first bigint DEFAULT NULL, last bigint DEFAULT NULL)
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
    UPDATE renewer.member AS m
    SET version = m.version + 1,
        last_request = m.last_request + 1,
        -- A member who failed waits for their next try, one who is parked for a person; under review only the
        -- end of the review is applied.
        due_at = CASE
            WHEN applied OR (m.status = 'under_review' AND what <> 'set_status') THEN m.due_at
            WHEN EXISTS (SELECT FROM renewer.failure AS f WHERE f.member_id = id) THEN m.due_at
            ELSE least(m.due_at, happened_at) END
    WHERE m.member_id = id;

    INSERT INTO renewer.request (member_id, reference, number, kind, content, at, applied_at, balance, first_seq, last_seq)
    SELECT id, ref, m.last_request, what, details, happened_at, CASE WHEN applied THEN now() END, m.balance, first, last
    FROM renewer.member AS m
    WHERE m.member_id = id;

    IF NOT applied THEN
        PERFORM pg_notify('renewer_due', id);
    END IF;
    RETURN QUERY SELECT m.balance, first, last, false FROM renewer.member AS m WHERE m.member_id = id;
END
$$;
