-- Change a member's status; what waits under review becomes due at once when the review ends.
--
-- Errors: RN001, RN003, RN005, RN006 unknown status
-- Locks:  the member's row, to the end of the transaction
-- Index:  member_pkey; request_pkey, request_waiting_idx
-- Reads:  20 rows
CREATE OR REPLACE FUNCTION renewer.set_status(
    member_id text, status text, reference text, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF set_status.status IS NULL OR set_status.status NOT IN ('active', 'under_review', 'suspended', 'closed') THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'status %s is unknown', pg_catalog.quote_nullable(set_status.status)),
            'use active, under_review, suspended or closed');
    END IF;
    RETURN QUERY SELECT k.* FROM renewer.record_change(
        'set_status', set_status.member_id, pg_catalog.jsonb_build_object('status', set_status.status),
        set_status.reference, set_status.at) AS k;
END
$$;
