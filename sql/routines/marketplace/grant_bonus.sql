-- Add Connects the marketplace gives away: a lot no cycle touches.
--
-- Errors: as add_bought
-- Locks:  the member's row, to the end of the transaction
-- Index:  member_pkey; lot_pkey; request_pkey, request_waiting_idx
-- Reads:  20 rows
CREATE OR REPLACE FUNCTION renewer.grant_bonus(
    member_id text, amount integer, reference text, expires_at timestamptz DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (balance integer, first_seq bigint, last_seq bigint, repeated boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT b.* FROM renewer.add_bought(
        'grant_bonus', 'bonus', grant_bonus.member_id, grant_bonus.amount, grant_bonus.reference,
        grant_bonus.expires_at, grant_bonus.at) AS b;
END
$$;
