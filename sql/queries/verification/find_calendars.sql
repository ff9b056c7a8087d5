-- Find every member's calendar as stored: anchor, cycle, next boundary, and the cycles of its renewals.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns: the columns of member; renewals, in the order of posting, as arrays of first_day, last_day,
--          anchor_on, cycle_n and plan
-- Locks:   none
-- Index:   ledger_entry_pkey
SELECT m.*, r.renewals
FROM renewer.member AS m
LEFT JOIN (
    SELECT e.member_id, pg_catalog.json_agg(pg_catalog.json_build_array(
               e.first_day, e.last_day, e.anchor_on, e.cycle_n, coalesce(e.plan, '')) ORDER BY e.seq) AS renewals
    FROM renewer.ledger_entry AS e
    WHERE e.kind::text = 'renewal'
      AND e.member_id > %(after)s::text AND (%(until)s::text IS NULL OR e.member_id <= %(until)s::text)
    GROUP BY e.member_id) AS r ON r.member_id = m.member_id
WHERE m.member_id > %(after)s::text AND (%(until)s::text IS NULL OR m.member_id <= %(until)s::text)
ORDER BY m.member_id;
