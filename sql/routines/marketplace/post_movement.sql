-- Move Connects into or out of one lot: the lot, the balance and one entry.
--
-- Parameters: member_id; kind, the entry's; amount, with its sign; lot; reference and at, of the call
-- Returns:    the entry's seq
-- Errors:     RN006 when the balance would be more than a ledger holds
-- Locks:      the member's row, held since receive_request
CREATE OR REPLACE FUNCTION renewer.post_movement(
    member_id text, kind text, amount integer, lot integer, reference text, at timestamptz)
RETURNS bigint
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    posted  bigint;
    held    integer;
BEGIN
    IF post_movement.amount > 0 THEN
        PERFORM renewer.check_balance(post_movement.member_id, post_movement.amount);
    END IF;
    UPDATE renewer.lot AS l SET remaining = l.remaining + post_movement.amount
    WHERE l.member_id = post_movement.member_id AND l.number = post_movement.lot;
    UPDATE renewer.member AS m
    SET balance = m.balance + post_movement.amount, last_seq = m.last_seq + 1
    WHERE m.member_id = post_movement.member_id
    RETURNING m.last_seq, m.balance INTO posted, held;
    INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, reference, occurred_at)
    VALUES (post_movement.member_id, posted, post_movement.kind, post_movement.amount, held,
            post_movement.lot, post_movement.reference, post_movement.at);
    RETURN posted;
END
$$;
