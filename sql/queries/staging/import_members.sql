-- Turn every good staged line into a member; one with a balance has a lot and an entry already.
--
-- Locks: the new rows
INSERT INTO renewer.member (member_id, plan, anchor_on, timezone, status, balance, cycle_n, cycle_first_day, cycle_last_day,
                            first_boundary_on, renews_at, lapses_at, last_seq, last_lot, allowance_lot)
SELECT m.member_id, m.plan, m.anchor_on, m.timezone, m.status, m.balance, m.cycle_n, m.cycle_first_day, m.cycle_last_day,
       m.first_boundary_on, m.renews_at, l.expires_at, (l.balance > 0)::integer, (l.balance > 0)::integer,
       CASE WHEN l.balance > 0 THEN 1 END
FROM pg_temp.import_line AS l
CROSS JOIN LATERAL pg_catalog.jsonb_populate_record(NULL::renewer.member, l.member) AS m
WHERE l.reason IS NULL;
