-- Find what the last check of the invariants found, and when one last found nothing.
--
-- Returns: one row: violations, null when none was finished; succeeded_at, null when none ever was clean
-- Locks:   none
-- Index:   verification_pkey
-- Reads:   10 rows
SELECT (SELECT v.violations FROM renewer.verification AS v
        WHERE v.finished_at IS NOT NULL
        ORDER BY v.verification_id DESC LIMIT 1) AS violations,
       (SELECT v.finished_at FROM renewer.verification AS v
        WHERE v.finished_at IS NOT NULL AND v.violations = 0
        ORDER BY v.verification_id DESC LIMIT 1) AS succeeded_at;
