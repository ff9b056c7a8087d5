-- A member's ledger in the words members know: one row an entry, the two of a rollover pair folded into one.
--
-- Why a renewal is 0 is told as `renewer explain` tells it: a plan whose rules of that day include none comes first.
CREATE OR REPLACE VIEW renewer.statement AS
SELECT e.member_id, e.seq, e.occurred_at, e.posted_at, e.kind,
       CASE e.kind
           WHEN 'opening' THEN 'Balance brought in'
           WHEN 'renewal' THEN 'Monthly Connects renewal'
               || CASE
                      WHEN e.reason = 'plan_changed' THEN ': change of plan'
                      WHEN e.amount > 0 THEN ''
                      ELSE coalesce(
                          (SELECT CASE
                                      WHEN p.allowance = 0 THEN ': 0, the plan included none'
                                      WHEN e.reason IS NULL THEN ': 0, the plan''s rules were corrected later'
                                  END
                           FROM renewer.plan AS p
                           WHERE p.code = e.plan AND p.effective_from <= e.first_day
                           ORDER BY p.effective_from DESC
                           LIMIT 1),
                          CASE e.reason
                              WHEN 'suspended' THEN ': 0 while suspended'
                              WHEN 'caught_up' THEN ': 0, missed and not made up for'
                              ELSE ''
                          END)
                      END
           WHEN 'late_renewal' THEN pg_catalog.format('Monthly Connects renewal of %s, late', e.first_day)
           WHEN 'rollover' THEN pg_catalog.format('%s unused Connects rolled over', e.amount)
           WHEN 'expiry' THEN CASE e.reason
               WHEN 'lapsed' THEN 'Connects expired: the end of their lifetime'
               ELSE 'Unused Connects expired with their cycle' END
           WHEN 'purchase' THEN 'Connects bought'
           WHEN 'bonus' THEN 'Bonus Connects'
           WHEN 'spend' THEN 'Connects spent'
           WHEN 'refund' THEN 'Connects returned'
           WHEN 'adjustment' THEN 'Credit for a change of plan'
       END AS what,
       CASE e.kind WHEN 'rollover' THEN 0 ELSE e.amount END AS amount,
       e.balance_after, e.reference
FROM renewer.ledger_entry AS e
WHERE e.kind <> 'rollover' OR e.amount > 0;
COMMENT ON VIEW renewer.statement IS 'a member''s ledger in the words members know, a row an entry, rollover pairs folded';
COMMENT ON COLUMN renewer.statement.member_id IS 'whose ledger it is';
COMMENT ON COLUMN renewer.statement.seq IS 'place in it; pages go on behind it, by the primary key of ledger_entry';
COMMENT ON COLUMN renewer.statement.occurred_at IS 'when it was due by the member''s calendar, or called for';
COMMENT ON COLUMN renewer.statement.posted_at IS 'when it was written, by the real clock';
COMMENT ON COLUMN renewer.statement.kind IS 'what it records';
COMMENT ON COLUMN renewer.statement.what IS 'the same in words';
COMMENT ON COLUMN renewer.statement.amount IS 'Connects, with their sign; 0 of what rolled over';
COMMENT ON COLUMN renewer.statement.balance_after IS 'Connects after it';
COMMENT ON COLUMN renewer.statement.reference IS 'of a call: the application''s name for it';
