-- Add a lot no cycle touches: what purchase and grant_bonus share.
--
-- Parameters: kind, the function called; source, of the lot and kind of the entry; the others as theirs
-- Errors:     RN001, RN003, RN005, RN006 expiry not after at, amount not positive
-- Locks:      the member's row, to the end of the transaction
CREATE OR REPLACE FUNCTION renewer.add_bought(
    kind text, source text, member_id text, amount integer, reference text, expires_at timestamptz, at timestamptz)
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    content jsonb := pg_catalog.jsonb_build_object(
        'amount', add_bought.amount, 'expires_at', add_bought.expires_at AT TIME ZONE 'UTC');
    known   renewer.request;
    lot     integer;
    seq     bigint;
BEGIN
    PERFORM renewer.check_amount(add_bought.amount);
    known := renewer.receive_request(add_bought.member_id, add_bought.reference, add_bought.kind, content, add_bought.at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
        RETURN;
    END IF;
    -- After the look-up: a call that is repeated later is answered, even when its end has come meanwhile.
    IF add_bought.expires_at <= add_bought.at OR add_bought.expires_at >= '9000-01-01 00:00:00+00' THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'expires_at %s is not after at, or too far away', add_bought.expires_at),
            'leave it out for never, or give a later time');
    END IF;
    lot := renewer.issue_lot(add_bought.member_id, add_bought.source, add_bought.at, add_bought.expires_at);
    seq := renewer.post_movement(
        add_bought.member_id, add_bought.source, add_bought.amount, lot, add_bought.reference, add_bought.at);
    RETURN QUERY SELECT k.* FROM renewer.keep_request(
        add_bought.member_id, add_bought.reference, add_bought.kind, content, add_bought.at, true, seq, seq) AS k;
END
$$;
