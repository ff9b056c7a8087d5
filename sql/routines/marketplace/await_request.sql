-- Make a member due for a request that waits, and announce them.
--
-- A failure is tried again at once: the request may be what mends it. Under review only the end of the review is applied.
-- Parameters: member_id; kind and at, of the request
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.await_request(member_id text, kind text, at timestamptz)
RETURNS void
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    asked_at timestamptz := pg_catalog.now();
BEGIN
    UPDATE renewer.member AS m
    SET retry_at = CASE WHEN m.retry_at IS NOT NULL THEN least(m.retry_at, asked_at) END,
        requested_at = CASE
            WHEN m.status = 'under_review' AND await_request.kind <> 'set_status' THEN m.requested_at
            -- The award of an enrolment comes before any request.
            ELSE least(m.requested_at,
                       greatest(await_request.at, CASE WHEN m.cycle_n IS NULL THEN m.renews_at END)) END
    WHERE m.member_id = await_request.member_id;
    PERFORM pg_catalog.pg_notify('renewer_due', await_request.member_id);
END
$$;
