-- Check what every call of the marketplace has in common, and lock its member.
--
-- Parameters: id, the member; ref, the call's reference; what, its function; details, its arguments but the time;
--             happened_at, its time
-- Returns:    the stored request when the same call was made before, else null
-- Errors:     RN001 unknown member, RN003 reference reused, RN005 closed, RN006 bad argument
-- Locks:      the member's row, to the end of the caller's transaction
CREATE OR REPLACE FUNCTION renewer.receive_request(
    id text, ref text, what text, details jsonb, happened_at timestamptz)
RETURNS renewer.request
LANGUAGE plpgsql
AS $$
DECLARE
    known   renewer.request;
    current text;
BEGIN
    IF ref IS NULL OR length(ref) NOT BETWEEN 1 AND 200 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE =
            'reference must have 1 to 200 characters: name each call so that it can be repeated safely';
    END IF;
    SELECT m.status INTO current FROM renewer.member AS m WHERE m.member_id = id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'RN001', MESSAGE = format(
            'unknown member %s: enroll or import them first',
            coalesce(quote_literal(id), 'null'));
    END IF;

    SELECT r.* INTO known FROM renewer.request AS r WHERE r.member_id = id AND r.reference = ref;
    IF FOUND THEN
        IF known.kind <> what OR known.content <> details THEN
            RAISE EXCEPTION USING ERRCODE = 'RN003', MESSAGE = format(
                'reference %L of member %L was used for another call (%s %s): use a new one',
                ref, id, known.kind, known.content);
        END IF;
        RETURN known;
    END IF;

    -- After the look-up: of a call that is repeated, the time does not count.
    IF happened_at IS NULL OR happened_at > clock_timestamp() OR happened_at < '1900-01-01' THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'at %s is in the future, or no time of ours: leave it out, or give the time it happened',
            coalesce(happened_at::text, 'null'));
    END IF;
    IF current = 'closed' OR EXISTS (
        SELECT FROM renewer.request AS r
        WHERE r.member_id = id AND r.applied_at IS NULL AND r.kind = 'set_status' AND r.content ->> 'status' = 'closed') THEN
        RAISE EXCEPTION USING ERRCODE = 'RN005', MESSAGE = format(
            'member %L is closed: nothing can be done for them any more',
            id);
    END IF;
    RETURN NULL;
END
$$;
