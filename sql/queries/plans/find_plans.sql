-- Find every revision of every plan.
--
-- Returns: code, effective_from, allowance, rollover_cap (null: no limit), lifetime_months; by code, then date
-- Locks:   none
-- Index:   none; they are few
-- Reads:   1 for each returned
SELECT p.code, p.effective_from, p.allowance, p.rollover_cap, p.lifetime_months
FROM renewer.plan AS p
ORDER BY p.code, p.effective_from;
