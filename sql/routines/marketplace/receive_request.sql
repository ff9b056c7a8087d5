-- Check what every call of the marketplace has in common, and lock its member.
--
-- Parameters: member_id; reference, the call's; kind, its function; content, its arguments but the time; at, its time
-- Returns:    the stored request when the same call was made before, else null
-- Errors:     RN001 unknown member, RN003 reference reused, RN005 closed, RN006 bad argument
-- Locks:      the member's row, to the end of the caller's transaction
CREATE OR REPLACE FUNCTION renewer.receive_request(
    member_id text, reference text, kind text, content jsonb, at timestamptz)
RETURNS renewer.request
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    known   renewer.request;
    current text;
BEGIN
    PERFORM renewer.check_name('reference', receive_request.reference, 200);
    SELECT m.status INTO current
    FROM renewer.member AS m WHERE m.member_id = receive_request.member_id FOR UPDATE;
    IF NOT FOUND THEN
        PERFORM renewer.refuse('RN001', pg_catalog.format(
            'unknown member %s', pg_catalog.quote_nullable(receive_request.member_id)),
            'enroll or import them first');
    END IF;

    SELECT r.* INTO known
    FROM renewer.request AS r
    WHERE r.member_id = receive_request.member_id AND r.reference = receive_request.reference;
    IF FOUND THEN
        IF known.kind <> receive_request.kind OR known.content <> receive_request.content THEN
            PERFORM renewer.refuse('RN003', pg_catalog.format(
                'reference %L of member %L was used for another call (%s %s)',
                receive_request.reference, receive_request.member_id, known.kind, known.content),
                'use a new one');
        END IF;
        RETURN known;
    END IF;

    -- After the look-up: of a call that is repeated, the time does not count.
    PERFORM renewer.check_time(receive_request.at);
    IF current = 'closed' OR EXISTS (
        SELECT FROM renewer.request AS r
        WHERE r.member_id = receive_request.member_id AND r.applied_at IS NULL AND r.kind = 'set_status'
            AND r.content ->> 'status' = 'closed') THEN
        PERFORM renewer.refuse('RN005', pg_catalog.format(
            'member %L is closed', receive_request.member_id),
            'nothing can be done for them any more');
    END IF;
    RETURN NULL;
END
$$;
