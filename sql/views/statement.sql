-- A member's ledger in the words members know: one row an entry, the two of a rollover pair folded into one.
CREATE OR REPLACE VIEW renewer.statement AS
SELECT e.member_id, e.seq, e.occurred_at, e.posted_at, e.kind,
       CASE e.kind
           WHEN 'opening' THEN 'Balance brought in'
           WHEN 'renewal' THEN 'Monthly Connects renewal'
               || CASE e.reason
                      WHEN 'suspended' THEN ': 0 while suspended'
                      WHEN 'caught_up' THEN ': 0, missed and not made up for'
                      WHEN 'plan_changed' THEN ': change of plan'
                      ELSE '' END
           WHEN 'late_renewal' THEN format('Monthly Connects renewal of %s, late', e.first_day)
           WHEN 'rollover' THEN format('%s unused Connects rolled over', e.amount)
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
