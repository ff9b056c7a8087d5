-- A boundary on record: the renewal of a cycle, and what was made up for later.
--
-- late:    what a late renewal brought; null: none
-- allowed: the allowances the plan's rules gave the cycle while the two were posted: one, or several when rules were loaded
--          meanwhile; null: none
-- Joined and grouped, not looked up for each: a cluster looks up nothing that depends on two tables.
CREATE OR REPLACE VIEW renewer.award AS
SELECT e.member_id, e.seq, e.first_day, e.last_day, e.anchor_on, e.cycle_n, e.plan, e.amount, e.reason, l.amount AS late,
       e.occurred_at, e.run_id, l.occurred_at AS late_occurred_at, l.run_id AS late_run_id,
       greatest(e.posted_at, l.posted_at) AS posted_at,
       pg_catalog.array_agg(p.allowance) FILTER (WHERE p.code IS NOT NULL AND q.code IS NULL) AS allowed
FROM renewer.ledger_entry AS e
LEFT JOIN renewer.ledger_entry AS l
    ON l.member_id = e.member_id AND l.first_day = e.first_day AND l.kind = 'late_renewal'
LEFT JOIN renewer.run AS r ON r.run_id = e.run_id
LEFT JOIN renewer.plan AS p
    ON p.code = e.plan AND p.effective_from <= e.first_day AND p.loaded_at <= greatest(e.posted_at, l.posted_at)
-- Later rules that were on record before the pass began took its place.
LEFT JOIN renewer.plan AS q
    ON q.code = p.code AND q.effective_from > p.effective_from AND q.effective_from <= e.first_day
       AND q.loaded_at <= coalesce(r.started_at, e.posted_at - pg_catalog.make_interval(days => 1))
WHERE e.kind = 'renewal'
GROUP BY e.member_id, e.seq, l.member_id, l.seq;
