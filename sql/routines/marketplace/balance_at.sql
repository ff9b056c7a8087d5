-- Tell what a member held at a time: the balance after the last entry posted by then, 0 before the first.
--
-- Errors: RN001 unknown member
-- Locks:  none
-- Index:  ledger_entry_pkey; member_pkey
-- Reads:  10 rows, 1 for each entry
CREATE OR REPLACE FUNCTION renewer.balance_at(member_id text, at timestamptz)
RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
DECLARE
    held integer;
BEGIN
    SELECT e.balance_after INTO held
    FROM renewer.ledger_entry AS e
    WHERE e.member_id = balance_at.member_id AND e.posted_at <= balance_at.at
    ORDER BY e.seq DESC
    LIMIT 1;
    IF held IS NULL AND NOT EXISTS (SELECT FROM renewer.member AS m WHERE m.member_id = balance_at.member_id) THEN
        PERFORM renewer.refuse('RN001', pg_catalog.format(
            'unknown member %s', pg_catalog.quote_nullable(balance_at.member_id)), 'enroll or import them first');
    END IF;
    RETURN coalesce(held, 0);
END
$$;
