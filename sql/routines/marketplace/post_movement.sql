-- Move Connects into or out of one lot: the lot, the balance and one entry.
--
-- Parameters: id, the member; what, the entry's kind; moved, the amount with its sign; from_lot; ref; happened_at
-- Returns:    the entry's seq
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.post_movement(
    id text, what text, moved integer, from_lot integer, ref text, happened_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    m renewer.member;
BEGIN
    UPDATE renewer.lot AS l SET remaining = l.remaining + moved WHERE l.member_id = id AND l.number = from_lot;
    UPDATE renewer.member AS held
    SET balance = held.balance + moved, last_seq = held.last_seq + 1
    WHERE held.member_id = id
    RETURNING held.* INTO m;
    INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, reference, occurred_at)
    VALUES (id, m.last_seq, what, moved, m.balance, from_lot, ref, happened_at);
    RETURN m.last_seq;
END
$$;
