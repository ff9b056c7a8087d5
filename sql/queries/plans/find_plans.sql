-- Find every revision of every plan.
--
-- Returns: the columns of plan, of which `Revision` takes its fields; by code, then date
-- Locks:   none
-- Index:   none; they are few
-- Reads:   1 for each returned
SELECT p.*
FROM renewer.plan AS p
ORDER BY p.code, p.effective_from;
