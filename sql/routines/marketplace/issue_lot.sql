-- Add an empty lot; the movement that follows fills it.
--
-- Parameters: id, the member; source; issued_at; expires_at and cycle_ends_at, null for never
-- Returns:    the lot's number
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.issue_lot(
    id text, source text, issued_at timestamptz, expires_at timestamptz, cycle_ends_at timestamptz)
RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    made integer;
BEGIN
    UPDATE renewer.member AS m SET last_lot = m.last_lot + 1 WHERE m.member_id = id RETURNING m.last_lot INTO made;
    INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at, expires_at, cycle_ends_at)
    VALUES (id, made, issue_lot.source, 0, issue_lot.issued_at, issue_lot.expires_at, issue_lot.cycle_ends_at);
    RETURN made;
END
$$;
