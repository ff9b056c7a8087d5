-- Turn every good staged line into a member; one with a balance has a lot and an entry already.
--
-- Locks: the new rows
INSERT INTO renewer.member (member_id, plan, anchor_on, timezone, status, balance, cycle_n, cycle_first_day, cycle_last_day,
                            first_boundary_on, renews_at, lapses_at, last_seq, last_lot, allowance_lot)
SELECT l.member_id, l.plan, l.anchor_on, l.timezone, l.status, l.balance, l.cycle_n, l.cycle_first_day, l.cycle_last_day,
       l.first_boundary_on, l.renews_at, l.expires_at, (l.balance > 0)::integer, (l.balance > 0)::integer,
       CASE WHEN l.balance > 0 THEN 1 END
FROM pg_temp.import_line AS l
WHERE l.reason IS NULL;
