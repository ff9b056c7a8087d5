-- Return Connects of a spend to the lots they were spent from, last spent first; in all never more than was spent.
--
-- The part of a lot that has lapsed, or is cycle-bound and its cycle is over, becomes a refund lot of the current cycle.
-- Errors: RN001, RN003, RN004 more than was spent, RN005, RN006, RN007 no such spend
-- Locks:  the member's row, to the end of the transaction
-- Index:  member_pkey; lot_pkey; request_pkey, request_waiting_idx, request_refund_idx; ledger_entry_pkey
-- Reads:  20 rows
CREATE OR REPLACE FUNCTION renewer.refund(
    member_id text, spend_reference text, reference text, amount integer DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    content  jsonb := pg_catalog.jsonb_build_object('spend_reference', refund.spend_reference, 'amount', refund.amount);
    known    renewer.request;
    m        renewer.member;
    judged   timestamptz;
    spending renewer.request;
    spent    bigint;
    returned bigint;
    open     bigint;
    part     integer;
    used     record;
    into_lot integer;
    ends_at  timestamptz;
    lapses_at timestamptz;
    first    bigint;
    last     bigint;
BEGIN
    IF refund.amount IS NOT NULL THEN
        PERFORM renewer.check_amount(refund.amount);
    END IF;
    known := renewer.receive_request(refund.member_id, refund.reference, 'refund', content, refund.at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
        RETURN;
    END IF;
    SELECT h.* INTO m FROM renewer.member AS h WHERE h.member_id = refund.member_id;
    judged := greatest(refund.at, m.last_boundary_at);

    SELECT r.* INTO spending
    FROM renewer.request AS r
    WHERE r.member_id = refund.member_id AND r.reference = refund.spend_reference AND r.kind = 'spend';
    IF NOT FOUND THEN
        PERFORM renewer.refuse('RN007', pg_catalog.format(
            'member %L has no spend with reference %s',
            refund.member_id, pg_catalog.quote_nullable(refund.spend_reference)),
            'give the reference of the spend');
    END IF;
    spent := (spending.content ->> 'amount')::bigint;
    SELECT coalesce(pg_catalog.sum(e.amount), 0) INTO returned
    FROM renewer.request AS r
    JOIN renewer.ledger_entry AS e
        ON e.member_id = r.member_id AND e.seq BETWEEN r.first_seq AND r.last_seq
    WHERE r.member_id = refund.member_id AND r.kind = 'refund' AND r.content ->> 'spend_reference' = refund.spend_reference;
    open := coalesce(refund.amount, spent - returned);
    IF open > spent - returned OR open = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN004', MESSAGE = pg_catalog.format(
            'more than was spent: %s of the %s Connects of %L can still be returned',
            spent - returned, spent, refund.spend_reference),
            DETAIL = pg_catalog.format('%s of %s', spent - returned, spent),
            HINT = 'leave the amount out to return what is left';
    END IF;

    -- What was returned before came off the same list from the same end.
    FOR used IN
        SELECT e.lot, -e.amount AS spent, l.expires_at, l.expires_at <= judged AS lapsed,
               l.source IN ('allowance', 'refund')
                   AND (l.issued_at < m.cycle_ended_at
                        OR renewer.cycle_end(m.cycle_n, m.renews_at, m.anchor_on, m.timezone, l.issued_at) <= judged)
               AS over
        FROM renewer.ledger_entry AS e
        JOIN renewer.lot AS l ON l.member_id = e.member_id AND l.number = e.lot
        WHERE e.member_id = refund.member_id AND e.seq BETWEEN spending.first_seq AND spending.last_seq
        ORDER BY e.seq DESC
    LOOP
        EXIT WHEN open = 0;
        part := least(used.spent - least(returned, used.spent), open);
        returned := returned - least(returned, used.spent);
        CONTINUE WHEN part = 0;
        open := open - part;
        IF used.lapsed OR used.over THEN
            -- One that has lapsed already would take the Connects with it: then they end with their cycle alone.
            SELECT l.expires_at INTO lapses_at
            FROM renewer.lot AS l
            WHERE l.member_id = refund.member_id AND l.number = m.allowance_lot AND l.expires_at > judged;
            into_lot := renewer.issue_lot(refund.member_id, 'refund', refund.at, lapses_at);
        ELSE
            into_lot := used.lot;
            ends_at := least(ends_at, used.expires_at);
        END IF;
        last := renewer.post_movement(refund.member_id, 'refund', part, into_lot, refund.reference, refund.at);
        first := coalesce(first, last);
    END LOOP;
    -- A lot that was used up ends again.
    UPDATE renewer.member AS h SET lapses_at = least(h.lapses_at, ends_at)
    WHERE h.member_id = refund.member_id AND ends_at IS NOT NULL;
    RETURN QUERY SELECT k.* FROM renewer.keep_request(
        refund.member_id, refund.reference, 'refund', content, refund.at, true, first, last) AS k;
END
$$;
