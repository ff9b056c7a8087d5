-- Record a request that needs a rule: what change_plan, set_status and set_timezone share.
--
-- Parameters: what, the function called; details, its arguments but the time; the others as theirs
-- Errors:     RN001, RN003, RN005, RN006
-- Locks:      the member's row, to the end of the transaction
CREATE OR REPLACE FUNCTION renewer.record_change(
    what text, id text, details jsonb, ref text, happened_at timestamptz)
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    known renewer.request;
BEGIN
    known := renewer.receive_request(id, ref, what, details, happened_at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
    ELSE
        RETURN QUERY SELECT k.* FROM renewer.keep_request(id, ref, what, details, happened_at, false) AS k;
    END IF;
END
$$;

-- Change a member's plan, now or with the next cycle.
CREATE OR REPLACE FUNCTION renewer.change_plan(
    member_id text, plan text, effective text, reference text, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM renewer.check_plan(change_plan.plan);
    IF change_plan.effective IS NULL OR change_plan.effective NOT IN ('now', 'next_cycle') THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'effective %s is unknown: use now or next_cycle',
            coalesce(quote_literal(change_plan.effective), 'null'));
    END IF;
    RETURN QUERY SELECT k.* FROM renewer.record_change(
        'change_plan', change_plan.member_id,
        jsonb_build_object('plan', change_plan.plan, 'effective', change_plan.effective),
        change_plan.reference, change_plan.at) AS k;
END
$$;

-- Change a member's status; what waits under review becomes due at once when the review ends.
CREATE OR REPLACE FUNCTION renewer.set_status(
    member_id text, status text, reference text, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF set_status.status IS NULL OR set_status.status NOT IN ('active', 'under_review', 'suspended', 'closed') THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'status %s is unknown: use active, under_review, suspended or closed',
            coalesce(quote_literal(set_status.status), 'null'));
    END IF;
    RETURN QUERY SELECT k.* FROM renewer.record_change(
        'set_status', set_status.member_id, jsonb_build_object('status', set_status.status),
        set_status.reference, set_status.at) AS k;
END
$$;

-- Change a member's time zone; the next boundary keeps its instant, later ones move.
CREATE OR REPLACE FUNCTION renewer.set_timezone(
    member_id text, timezone text, reference text, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM renewer.check_timezone(set_timezone.timezone);
    RETURN QUERY SELECT k.* FROM renewer.record_change(
        'set_timezone', set_timezone.member_id, jsonb_build_object('timezone', set_timezone.timezone),
        set_timezone.reference, set_timezone.at) AS k;
END
$$;
