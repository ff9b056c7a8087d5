-- Take Connects of a call from the lots that end first, then by lot number; never more than the member can spend.
--
-- A cycle-bound lot ends at its own expires_at or the next boundary, whichever is earlier. A lapsed lot is not spendable,
-- swept or not.
-- Parameters: member_id; kind, of the entries; amount, positive; reference and at, of the call
-- Returns:    one row: first_seq and last_seq, of the entries
-- Errors:     RN002 not enough Connects
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.take_connects(
    member_id text, kind text, amount integer, reference text, at timestamptz, OUT first_seq bigint, OUT last_seq bigint)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    m      renewer.member;
    judged timestamptz;
    lot    record;
    part   integer;
    open   integer := take_connects.amount;
BEGIN
    SELECT h.* INTO m FROM renewer.member AS h WHERE h.member_id = take_connects.member_id;
    judged := greatest(take_connects.at, m.last_boundary_at);
    FOR lot IN
        SELECT l.number, l.remaining
        FROM renewer.lot AS l
        WHERE l.member_id = take_connects.member_id AND l.remaining > 0 AND (l.expires_at IS NULL OR l.expires_at > judged)
        ORDER BY least(l.expires_at, CASE WHEN renewer.is_cycle_bound(l.source) THEN m.renews_at END)
                 NULLS LAST, l.number
    LOOP
        EXIT WHEN open = 0;
        part := least(open, lot.remaining);
        open := open - part;
        last_seq := renewer.post_movement(
            take_connects.member_id, take_connects.kind, -part, lot.number, take_connects.reference, take_connects.at);
        first_seq := coalesce(first_seq, last_seq);
    END LOOP;
    IF open > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN002', MESSAGE = pg_catalog.format(
            'not enough Connects: member %L has %s to spend, %s were asked for',
            take_connects.member_id, take_connects.amount - open, take_connects.amount),
            DETAIL = pg_catalog.format('%s of %s', take_connects.amount - open, take_connects.amount),
            HINT = 'let them spend less, or add Connects by purchase or grant_bonus first';
    END IF;
END
$$;
