-- Find awards larger than the rules of their plan ever gave while they were posted.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns: member_id, detail
-- Locks:   none
SELECT a.member_id, pg_catalog.concat(
           'cycle of ', a.first_day, ' brought ', a.amount + coalesce(a.late, 0), ', the rules of ', a.plan, ' gave at most ',
           (SELECT pg_catalog.max(g.allowance) FROM pg_catalog.unnest(a.allowed) AS g (allowance))) AS detail
FROM renewer.award AS a
-- What a change of plan brings is what was left of a cycle, not an allowance.
WHERE a.reason IS DISTINCT FROM 'plan_changed'
  AND a.member_id > %(after)s::text AND (%(until)s::text IS NULL OR a.member_id <= %(until)s::text)
  AND a.amount + coalesce(a.late, 0) > ALL (coalesce(a.allowed, '{0}'))
ORDER BY a.member_id, a.first_day;
