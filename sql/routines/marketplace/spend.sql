-- Spend Connects, from the lots that end first: see take_connects.
--
-- Errors: RN001, RN002 not enough Connects, RN003, RN005, RN006
-- Locks:  the member's row, to the end of the transaction
-- Index:  member_pkey; lot_open_idx, lot_pkey; request_pkey, request_waiting_idx
-- Reads:  20 rows, 3 for each lot
CREATE OR REPLACE FUNCTION renewer.spend(
    member_id text, amount integer, reference text, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    content jsonb := pg_catalog.jsonb_build_object('amount', spend.amount);
    known   renewer.request;
    taken   record;
BEGIN
    PERFORM renewer.check_amount(spend.amount);
    known := renewer.receive_request(spend.member_id, spend.reference, 'spend', content, spend.at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
        RETURN;
    END IF;
    taken := renewer.take_connects(spend.member_id, 'spend', spend.amount, spend.reference, spend.at);
    RETURN QUERY SELECT k.* FROM renewer.keep_request(
        spend.member_id, spend.reference, 'spend', content, spend.at, true, taken.first_seq,
        taken.last_seq) AS k;
END
$$;
