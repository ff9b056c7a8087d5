-- Record a request that needs a rule: what change_plan, set_status and set_timezone share.
--
-- Parameters: kind, the function called; content, its arguments but the time; the others as theirs
-- Errors:     RN001, RN003, RN005, RN006
-- Locks:      the member's row, to the end of the transaction
CREATE OR REPLACE FUNCTION renewer.record_change(
    kind text, member_id text, content jsonb, reference text, at timestamptz)
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    known renewer.request;
BEGIN
    known := renewer.receive_request(
        record_change.member_id, record_change.reference, record_change.kind, record_change.content, record_change.at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
    ELSE
        RETURN QUERY SELECT k.* FROM renewer.keep_request(
            record_change.member_id, record_change.reference, record_change.kind, record_change.content,
            record_change.at, false) AS k;
    END IF;
END
$$;
