-- Spend Connects: from the lot that ends first, then by lot number; never more than the member has.
--
-- A cycle-bound lot ends at its own expires_at or the next boundary, whichever is earlier. A lapsed lot is not
-- spendable, swept or not.
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
    m       renewer.member;
    judged  timestamptz;
    lot     record;
    part    integer;
    open    integer := spend.amount;
    first   bigint;
    last    bigint;
BEGIN
    PERFORM renewer.check_amount(spend.amount);
    known := renewer.receive_request(spend.member_id, spend.reference, 'spend', content, spend.at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
        RETURN;
    END IF;
    SELECT h.* INTO m FROM renewer.member AS h WHERE h.member_id = spend.member_id;
    judged := greatest(spend.at, m.last_boundary_at);
    FOR lot IN
        SELECT l.number, l.remaining
        FROM renewer.lot AS l
        WHERE l.member_id = spend.member_id AND l.remaining > 0 AND (l.expires_at IS NULL OR l.expires_at > judged)
        ORDER BY least(l.expires_at, CASE WHEN renewer.is_cycle_bound(l.source) THEN m.renews_at END)
                 NULLS LAST, l.number
    LOOP
        EXIT WHEN open = 0;
        part := least(open, lot.remaining);
        open := open - part;
        last := renewer.post_movement(spend.member_id, 'spend', -part, lot.number, spend.reference, spend.at);
        first := coalesce(first, last);
    END LOOP;
    IF open > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN002', MESSAGE = pg_catalog.format(
            'not enough Connects: member %L has %s to spend, %s were asked for',
            spend.member_id, spend.amount - open, spend.amount),
            DETAIL = pg_catalog.format('%s of %s', spend.amount - open, spend.amount),
            HINT = 'let them spend less, or add Connects by purchase or grant_bonus first';
    END IF;
    RETURN QUERY SELECT k.* FROM renewer.keep_request(
        spend.member_id, spend.reference, 'spend', content, spend.at, true, first, last) AS k;
END
$$;
