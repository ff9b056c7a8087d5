-- Write one member's planned posting: entries, lots and the member's next state.
--
-- Parameters: posting, an element of what post_batch takes; run, the pass that posts
-- Returns:    posted, busy (another transaction holds the row) or conflict (the member changed since it was read)
-- Locks:      the member's row, to the end of the caller's transaction
-- Repeats:    safely; a posting whose version is not the member's any more writes nothing
CREATE OR REPLACE FUNCTION renewer.post_member(posting jsonb, run bigint)
RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    id           text := posting ->> 'member_id';
    current      bigint;
    had_requests boolean;
    changed      record;
BEGIN
    SELECT m.version, m.last_request > 0 INTO current, had_requests
    FROM renewer.member AS m WHERE m.member_id = id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 'busy';
    END IF;
    IF current <> (posting ->> 'version')::bigint THEN
        RETURN 'conflict';
    END IF;

    INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at, expires_at, cycle_ends_at)
    SELECT id, l.number, l.source, l.remaining, l.issued_at, l.expires_at, l.cycle_ends_at
    FROM jsonb_to_recordset(posting -> 'new_lots') AS l
        (number integer, source text, remaining integer, issued_at timestamptz, expires_at timestamptz,
         cycle_ends_at timestamptz);

    -- One by one: joined to a set of unknown size, the planner would hash the member's whole past.
    FOR changed IN
        SELECT l.number, l.remaining
        FROM jsonb_to_recordset(posting -> 'changed_lots') AS l (number integer, remaining integer)
    LOOP
        UPDATE renewer.lot AS held SET remaining = changed.remaining
        WHERE held.member_id = id AND held.number = changed.number;
    END LOOP;

    INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, first_day, anchor_on,
                                      cycle_n, plan, reason, reference, occurred_at, run_id)
    SELECT id, e.seq, e.kind, e.amount, e.balance_after, e.lot, e.first_day, e.anchor_on,
           e.cycle_n, e.plan, e.reason, e.reference, e.occurred_at, run
    FROM jsonb_to_recordset(posting -> 'entries') AS e
        (seq bigint, kind text, amount integer, balance_after integer, lot integer, first_day date, anchor_on date,
         cycle_n integer, plan text, reason text, reference text, occurred_at timestamptz);

    IF jsonb_typeof(posting -> 'profile') = 'object' THEN
        PERFORM renewer.post_profile(id, posting -> 'profile', posting -> 'after');
    END IF;

    UPDATE renewer.member AS m
    SET balance = after.balance, cycle_n = after.cycle_n, renews_at = after.renews_at, due_at = after.due_at,
        last_seq = after.last_seq, last_lot = after.last_lot, last_boundary_at = after.last_boundary_at,
        allowance_lot = after.allowance_lot, version = m.version + 1
    FROM jsonb_to_record(posting -> 'after') AS after
        (balance integer, cycle_n integer, renews_at timestamptz, due_at timestamptz, last_seq bigint, last_lot integer,
         last_boundary_at timestamptz, allowance_lot integer)
    WHERE m.member_id = id;

    IF had_requests THEN
        PERFORM renewer.post_applied(id, posting -> 'applied', run);
        PERFORM renewer.end_lots(id, posting -> 'cycles', (posting ->> 'last_lot_before')::integer);
    END IF;
    IF (posting ->> 'failed_before')::boolean THEN
        DELETE FROM renewer.failure AS f WHERE f.member_id = id;
    END IF;
    RETURN 'posted';
END
$$;
