-- Add an empty lot; the movement that follows fills it.
--
-- Parameters: member_id; source; issued_at; expires_at, null for never
-- Returns:    the lot's number
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.issue_lot(
    member_id text, source text, issued_at timestamptz, expires_at timestamptz)
RETURNS integer
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    issued integer;
BEGIN
    UPDATE renewer.member AS m
    SET last_lot = m.last_lot + 1, lapses_at = least(m.lapses_at, issue_lot.expires_at)
    WHERE m.member_id = issue_lot.member_id
    RETURNING m.last_lot INTO issued;
    INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at, expires_at)
    VALUES (issue_lot.member_id, issued, issue_lot.source, 0, issue_lot.issued_at, issue_lot.expires_at);
    RETURN issued;
END
$$;
