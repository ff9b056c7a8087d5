-- Enrol a new member; the next pass awards the cycle that contains at.
--
-- Errors: RN003 reference reused, RN006 bad argument: member exists, unknown plan or zone, anchor after at
-- Locks:  the new row
CREATE OR REPLACE FUNCTION renewer.enroll(
    member_id text, plan text, anchor_on date, timezone text, status text, reference text,
    at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    details jsonb := jsonb_build_object('plan', enroll.plan, 'anchor_on', enroll.anchor_on, 'timezone', enroll.timezone,
                                        'status', enroll.status);
    known   renewer.request;
    added   boolean;
BEGIN
    IF enroll.member_id IS NULL OR length(enroll.member_id) NOT BETWEEN 1 AND 64 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = 'member_id must have 1 to 64 characters';
    END IF;
    IF enroll.status IS NULL OR enroll.status NOT IN ('active', 'under_review', 'suspended') THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'status %s is none to enrol with: use active, under_review or suspended',
            coalesce(quote_literal(enroll.status), 'null'));
    END IF;
    PERFORM renewer.check_plan(enroll.plan), renewer.check_timezone(enroll.timezone);
    IF enroll.at IS NULL OR enroll.at NOT BETWEEN '1900-01-01' AND clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'at %s is in the future, or no time of ours: leave it out, or give the time it happened',
            coalesce(enroll.at::text, 'null'));
    END IF;
    IF enroll.anchor_on IS NULL OR enroll.anchor_on NOT BETWEEN '1900-01-01' AND '8999-01-01' THEN
        PERFORM renewer.refuse_anchor(enroll.anchor_on);
    END IF;

    INSERT INTO renewer.member AS m (member_id, plan, anchor_on, timezone, status, renews_at, cycle_n, first_boundary_on)
    VALUES (enroll.member_id, enroll.plan, enroll.anchor_on, enroll.timezone, enroll.status, enroll.at, NULL, NULL)
    ON CONFLICT ON CONSTRAINT member_pkey DO NOTHING
    RETURNING true INTO added;

    known := renewer.receive_request(enroll.member_id, enroll.reference, 'enroll', details, enroll.at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
        RETURN;
    END IF;
    IF added IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'member %L exists already: they are enrolled or imported once',
            enroll.member_id);
    END IF;
    IF enroll.anchor_on > (enroll.at AT TIME ZONE enroll.timezone)::date THEN
        PERFORM renewer.refuse_anchor(enroll.anchor_on);
    END IF;
    UPDATE renewer.member AS m SET due_at = enroll.at
    WHERE m.member_id = enroll.member_id AND enroll.status <> 'under_review';
    RETURN QUERY SELECT k.* FROM renewer.keep_request(
        enroll.member_id, enroll.reference, 'enroll', details, enroll.at, true) AS k;
    PERFORM pg_notify('renewer_due', enroll.member_id);
END
$$;
