-- Write planned postings, one transaction per member.
--
-- Parameters: postings jsonb, run_id bigint
-- Returns:    outcomes: a JSON array of the members that were not posted
-- Locks:      as renewer.post_batch
CALL renewer.post_batch(%(postings)s::jsonb, %(run_id)s::bigint, NULL);
