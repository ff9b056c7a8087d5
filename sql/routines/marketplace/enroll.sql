-- Enrol a new member; the next pass awards the cycle that contains at.
--
-- Errors: RN003 reference reused, RN006 bad argument: member exists, unknown plan or zone, anchor after at
-- Locks:  the new row
-- Index:  member_pkey; request_pkey, request_waiting_idx; timezone_pkey
-- Reads:  20 rows
CREATE OR REPLACE FUNCTION renewer.enroll(
    member_id text, plan text, anchor_on date, timezone text, status text, reference text,
    at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    content jsonb := pg_catalog.jsonb_build_object(
        'plan', enroll.plan, 'anchor_on', enroll.anchor_on, 'timezone', enroll.timezone, 'status', enroll.status);
    known   renewer.request;
    added   boolean;
BEGIN
    PERFORM renewer.check_name('member_id', enroll.member_id, 64);
    IF enroll.status IS NULL OR enroll.status NOT IN ('active', 'under_review', 'suspended') THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'status %s is none to enrol with', pg_catalog.quote_nullable(enroll.status)),
            'use active, under_review or suspended');
    END IF;
    PERFORM renewer.check_plan(enroll.plan), renewer.check_timezone(enroll.timezone), renewer.check_time(enroll.at);
    IF enroll.anchor_on IS NULL OR enroll.anchor_on NOT BETWEEN '1900-01-01' AND '8999-01-01' THEN
        PERFORM renewer.refuse_anchor(enroll.anchor_on);
    END IF;

    INSERT INTO renewer.member AS m (member_id, plan, anchor_on, timezone, status, renews_at)
    VALUES (enroll.member_id, enroll.plan, enroll.anchor_on, enroll.timezone, enroll.status, enroll.at)
    ON CONFLICT ON CONSTRAINT member_pkey DO NOTHING
    RETURNING true INTO added;

    known := renewer.receive_request(enroll.member_id, enroll.reference, 'enroll', content, enroll.at);
    IF known.member_id IS NOT NULL THEN
        RETURN QUERY SELECT known.balance, known.first_seq, known.last_seq, true;
        RETURN;
    END IF;
    IF added IS NULL THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'member %L exists already', enroll.member_id),
            'they are enrolled or imported once');
    END IF;
    -- After the look-up: a call that is repeated with another time is answered.
    IF enroll.anchor_on > renewer.local_day(enroll.at, enroll.timezone) THEN
        PERFORM renewer.refuse_anchor(enroll.anchor_on);
    END IF;
    RETURN QUERY SELECT k.* FROM renewer.keep_request(
        enroll.member_id, enroll.reference, 'enroll', content, enroll.at, true) AS k;
    PERFORM pg_catalog.pg_notify('renewer_due', enroll.member_id);
END
$$;

-- Refuse an anchor: RN006, with the way out.
CREATE OR REPLACE FUNCTION renewer.refuse_anchor(anchor_on date)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM renewer.refuse('RN006', pg_catalog.format(
        'anchor_on %s is after at, or no day of our time', coalesce(refuse_anchor.anchor_on::text, 'null')),
        'give the local day the membership started');
END
$$;
