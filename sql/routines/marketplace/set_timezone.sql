-- Change a member's time zone; the next boundary keeps its instant, later ones move.
--
-- Errors: RN001, RN003, RN005, RN006 unknown zone
-- Locks:  the member's row, to the end of the transaction
-- Index:  member_pkey; request_pkey, request_waiting_idx; timezone_pkey
-- Reads:  20 rows
CREATE OR REPLACE FUNCTION renewer.set_timezone(
    member_id text, timezone text, reference text, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    PERFORM renewer.check_timezone(set_timezone.timezone);
    RETURN QUERY SELECT k.* FROM renewer.record_change(
        'set_timezone', set_timezone.member_id, pg_catalog.jsonb_build_object('timezone', set_timezone.timezone),
        set_timezone.reference, set_timezone.at) AS k;
END
$$;
