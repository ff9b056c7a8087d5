-- Keep a call with its reference, content and result; one that needs a rule is left to the next pass and announced.
--
-- Parameters: as receive_request; applied, whether the call is done; first_seq, last_seq: the entries it posted, null for
--             none
-- Returns:    one row: the member's balance, the entries, repeated = false
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.keep_request(
    member_id text, reference text, kind text, content jsonb, at timestamptz, applied boolean,
    first_seq bigint DEFAULT NULL, last_seq bigint DEFAULT NULL)
RETURNS TABLE (balance integer, first bigint, last bigint, repeated boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    number  bigint;
    held    integer;
BEGIN
    UPDATE renewer.member AS m
    SET version = m.version + 1, last_request = m.last_request + 1
    WHERE m.member_id = keep_request.member_id
    RETURNING m.last_request, m.balance INTO number, held;

    INSERT INTO renewer.request (member_id, reference, number, kind, content, at, applied_at, balance, first_seq, last_seq)
    VALUES (keep_request.member_id, keep_request.reference, number, keep_request.kind, keep_request.content,
            keep_request.at, CASE WHEN applied THEN pg_catalog.now() END, held, keep_request.first_seq,
            keep_request.last_seq);

    IF NOT applied THEN
        PERFORM renewer.await_request(keep_request.member_id, keep_request.kind, keep_request.at);
    END IF;
    RETURN QUERY SELECT held, keep_request.first_seq, keep_request.last_seq, false;
END
$$;
