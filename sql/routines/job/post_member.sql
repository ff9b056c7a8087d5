-- Write one member's planned posting: entries, lots, requests and the member's next state.
--
-- Parameters: planned, the posting; run, the pass that posts
-- Returns:    posted, busy (another transaction holds the row) or conflict (the member changed since it was planned)
-- Locks:      the member's row, to the end of the caller's transaction
-- Repeats:    safely; a posting whose version is not the member's any more writes nothing
CREATE OR REPLACE FUNCTION renewer.post_member(planned renewer.planned, run bigint)
RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    current bigint;
    failed  boolean;
    written bigint := 0;
    lot     renewer.planned_lot;
    entry   renewer.planned_entry;
    request renewer.planned_request;
BEGIN
    SELECT m.version, m.parked OR m.retry_at IS NOT NULL INTO current, failed
    FROM renewer.member AS m WHERE m.member_id = planned.member_id FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 'busy';
    END IF;
    IF current <> planned.version THEN
        RETURN 'conflict';
    END IF;

    FOREACH lot IN ARRAY planned.new_lots LOOP
        INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at, expires_at)
        VALUES (planned.member_id, lot.number, lot.source, lot.remaining, lot.issued_at, lot.expires_at);
        IF NOT FOUND THEN
            PERFORM renewer.refuse_lost_rows('lot');
        END IF;
    END LOOP;

    -- One by one: joined to a set of unknown size, the planner would hash the member's whole past.
    FOREACH lot IN ARRAY planned.changed_lots LOOP
        UPDATE renewer.lot AS l SET remaining = lot.remaining
        WHERE l.member_id = planned.member_id AND l.number = lot.number;
        IF NOT FOUND THEN
            PERFORM renewer.refuse_lost_rows('lot');
        END IF;
    END LOOP;

    IF pg_catalog.current_setting('citus.shard_count', true) IS NULL THEN
        INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, first_day, last_day,
                                          anchor_on, cycle_n, plan, reason, reference, occurred_at, run_id)
        SELECT planned.member_id, e.seq, e.kind, e.amount, e.balance_after, e.lot, e.first_day, e.last_day,
               e.anchor_on, e.cycle_n, e.plan, e.reason, e.reference, e.occurred_at, run
        FROM pg_catalog.unnest(planned.entries) AS e;
        GET DIAGNOSTICS written = ROW_COUNT;
    ELSE
        -- A node of a cluster would copy the rows of one statement to itself, over a connection.
        FOREACH entry IN ARRAY planned.entries LOOP
            INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, first_day, last_day,
                                              anchor_on, cycle_n, plan, reason, reference, occurred_at, run_id)
            VALUES (planned.member_id, entry.seq, entry.kind, entry.amount, entry.balance_after, entry.lot,
                    entry.first_day, entry.last_day, entry.anchor_on, entry.cycle_n, entry.plan, entry.reason,
                    entry.reference, entry.occurred_at, run);
            written := written + FOUND::integer;
        END LOOP;
    END IF;
    IF written <> pg_catalog.cardinality(planned.entries) THEN
        PERFORM renewer.refuse_lost_rows('ledger_entry');
    END IF;

    FOREACH request IN ARRAY planned.applied LOOP
        UPDATE renewer.request AS r
        SET applied_at = pg_catalog.now(), run_id = run, balance = request.balance,
            first_seq = request.first_seq, last_seq = request.last_seq
        WHERE r.member_id = planned.member_id AND r.reference = request.reference;
    END LOOP;

    IF failed THEN
        -- The failure and what came of it go in one statement.
        WITH mended AS (
            DELETE FROM renewer.failure AS f WHERE f.member_id = planned.member_id)
        UPDATE renewer.member AS m SET retry_at = NULL, parked = false
        WHERE m.member_id = planned.member_id;
    END IF;
    UPDATE renewer.member AS m
    SET plan = planned.plan, pending_plan = planned.pending_plan, anchor_on = planned.anchor_on,
        timezone = planned.timezone, boundary_timezone = planned.boundary_timezone, status = planned.status,
        balance = planned.balance, cycle_n = planned.cycle_n, cycle_first_day = planned.cycle_first_day,
        cycle_last_day = planned.cycle_last_day, first_boundary_on = planned.first_boundary_on,
        last_boundary_at = planned.last_boundary_at, cycle_ended_at = planned.cycle_ended_at,
        renews_at = planned.renews_at, lapses_at = planned.lapses_at, requested_at = planned.requested_at,
        allowance_lot = planned.allowance_lot, changed = planned.changed,
        last_seq = planned.last_seq, last_lot = planned.last_lot, version = m.version + 1
    WHERE m.member_id = planned.member_id;
    RETURN 'posted';
END
$$;
