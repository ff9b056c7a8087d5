-- Add a lot no cycle touches: what purchase and grant_bonus share.
--
-- Parameters: what, the function called; source, of the lot and kind of the entry; the others as theirs
-- Errors:     RN001, RN003, RN005, RN006 expiry not after at, amount not positive
-- Locks:      the member's row, to the end of the transaction
CREATE OR REPLACE FUNCTION renewer.add_bought(
    what text, source text, id text, added integer, ref text, ends_at timestamptz, happened_at timestamptz)
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    details jsonb := jsonb_build_object('amount', added, 'expires_at', ends_at AT TIME ZONE 'UTC');
    known   renewer.request;
    seq     bigint;
BEGIN
    PERFORM renewer.check_amount(added);
    known := renewer.receive_request(id, ref, what, details, happened_at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
        RETURN;
    END IF;
    -- After the look-up: a call that is repeated later is answered, even when its end has come meanwhile.
    IF ends_at <= happened_at OR ends_at >= '9000-01-01' THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'expires_at %s is not after at, or too far away: leave it out for never, or give a later time', ends_at);
    END IF;
    seq := renewer.post_movement(
        id, add_bought.source, added, renewer.issue_lot(id, add_bought.source, happened_at, ends_at, NULL), ref, happened_at);
    UPDATE renewer.member AS h SET due_at = least(h.due_at, ends_at)
    WHERE h.member_id = id AND h.due_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM renewer.failure AS f WHERE f.member_id = id);
    RETURN QUERY SELECT k.* FROM renewer.keep_request(id, ref, what, details, happened_at, true, seq, seq) AS k;
END
$$;

-- Add Connects the member bought.
CREATE OR REPLACE FUNCTION renewer.purchase(
    member_id text, amount integer, reference text, expires_at timestamptz DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
SELECT k.* FROM renewer.add_bought('purchase', 'purchase', $1, $2, $3, $4, $5) AS k;
$$;

-- Add Connects the marketplace gives away.
CREATE OR REPLACE FUNCTION renewer.grant_bonus(
    member_id text, amount integer, reference text, expires_at timestamptz DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
SELECT k.* FROM renewer.add_bought('grant_bonus', 'bonus', $1, $2, $3, $4, $5) AS k;
$$;
