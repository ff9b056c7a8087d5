-- Record that a check of the invariants begins.
--
-- Parameters: none
-- Returns:    verification_id
-- Locks:      none; the caller holds the lease of the duty
INSERT INTO renewer.verification (began_at) VALUES (pg_catalog.now()) RETURNING verification_id;
