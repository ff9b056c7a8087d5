-- Change a member's plan, now or with the next cycle.
--
-- Errors: RN001, RN003, RN005, RN006 unknown plan, unknown effective, now and no rules for today
-- Locks:  the member's row, to the end of the transaction
-- Index:  member_pkey; request_pkey, request_waiting_idx
-- Reads:  20 rows
CREATE OR REPLACE FUNCTION renewer.change_plan(
    member_id text, plan text, effective text, reference text, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    today date;
BEGIN
    PERFORM renewer.check_plan(change_plan.plan);
    IF change_plan.effective IS NULL OR change_plan.effective NOT IN ('now', 'next_cycle') THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'effective %s is unknown', pg_catalog.quote_nullable(change_plan.effective)),
            'use now or next_cycle');
    END IF;
    IF change_plan.effective = 'now' THEN
        SELECT renewer.local_day(change_plan.at, m.timezone) INTO today
        FROM renewer.member AS m WHERE m.member_id = change_plan.member_id;
        IF NOT EXISTS (
            SELECT FROM renewer.plan AS p
            WHERE p.code = change_plan.plan AND p.effective_from <= coalesce(today, 'infinity')) THEN
            PERFORM renewer.refuse('RN006', pg_catalog.format(
                'plan %L has no rules for %s yet', change_plan.plan, today),
                'use next_cycle, or load an earlier revision');
        END IF;
    END IF;
    RETURN QUERY SELECT k.* FROM renewer.record_change(
        'change_plan', change_plan.member_id,
        pg_catalog.jsonb_build_object('plan', change_plan.plan, 'effective', change_plan.effective),
        change_plan.reference, change_plan.at) AS k;
END
$$;
