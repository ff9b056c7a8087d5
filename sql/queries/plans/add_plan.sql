-- Add a plan's revision unless one of that day is on record.
--
-- Parameters: code, effective_from date, allowance, rollover_cap, lifetime_months
-- Returns:    one row when it was added, none when the day has a revision already
-- Locks:      the new row
INSERT INTO renewer.plan (code, effective_from, allowance, rollover_cap, lifetime_months)
VALUES (%(code)s, %(effective_from)s::date, %(allowance)s::integer, %(rollover_cap)s::integer,
        %(lifetime_months)s::integer)
ON CONFLICT ON CONSTRAINT plan_pkey DO NOTHING
RETURNING code;
