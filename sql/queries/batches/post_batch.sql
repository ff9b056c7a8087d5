-- Write planned postings of one bucket, one transaction per member.
--
-- Parameters: key, a member of the batch; postings jsonb, an array of renewer.planned; run_id bigint
-- Returns:    outcomes: a JSON array of the members that were not posted
-- Locks:      as renewer.post_batch
CALL renewer.post_batch(%(key)s::text, %(postings)s::jsonb, %(run_id)s::bigint, NULL);
