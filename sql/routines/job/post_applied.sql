-- Note which requests were applied.
--
-- Parameters: id, the member; applied, an array of reference, balance, first_seq, last_seq; run, the pass that
--             applied them
-- Locks:      the member's row, held by post_member
CREATE OR REPLACE FUNCTION renewer.post_applied(id text, applied jsonb, run bigint)
RETURNS void
LANGUAGE sql
AS $$
UPDATE renewer.request AS r
SET applied_at = now(), run_id = run, balance = a.balance, first_seq = a.first_seq, last_seq = a.last_seq
FROM jsonb_to_recordset(applied) AS a (reference text, balance integer, first_seq bigint, last_seq bigint)
WHERE r.member_id = id AND r.reference = a.reference;
$$;
