-- Note which requests were applied, and give the lots of the current cycle the boundary that now ends it.
--
-- Parameters: id, the member, as post_member left them; applied, an array of reference, balance, first_seq, last_seq;
--             run, the pass that applied them
-- Locks:      the member's row, held by post_member
CREATE OR REPLACE FUNCTION renewer.post_applied(id text, applied jsonb, run bigint)
RETURNS void
LANGUAGE sql
AS $$
UPDATE renewer.request AS r
SET applied_at = now(), run_id = run, balance = a.balance, first_seq = a.first_seq, last_seq = a.last_seq
FROM jsonb_to_recordset(applied) AS a (reference text, balance integer, first_seq bigint, last_seq bigint)
WHERE r.member_id = id AND r.reference = a.reference;

-- A change of plan moved the boundary; and a lot returned after a boundary that was not posted yet had its end guessed.
UPDATE renewer.lot AS l
SET cycle_ends_at = m.renews_at
FROM renewer.member AS m
WHERE m.member_id = id AND l.member_id = id AND l.cycle_ends_at <> m.renews_at
    AND (l.cycle_ends_at > m.last_boundary_at OR l.issued_at >= m.last_boundary_at);
$$;
