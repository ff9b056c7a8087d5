-- A member's ledger in words: one row per entry; the two entries of a rollover pair are one row.
--
-- reason: the entry's; of a renewal of 0 the reason that `renewer explain` tells, where a plan without allowance comes first
-- words:  the line, with {credits} where the marketplace says what it calls them
CREATE OR REPLACE VIEW renewer.statement AS
SELECT l.member_id, l.seq, l.occurred_at, l.posted_at, l.kind,
       pg_catalog.replace(l.words, '{credits}', 'Connects') AS what,
       CASE l.kind WHEN 'rollover' THEN 0 ELSE l.amount END AS amount,
       l.balance_after, l.reference, l.reason, l.words
FROM (
    SELECT t.member_id, t.seq, t.occurred_at, t.posted_at, t.kind, t.amount, t.balance_after, t.reference, t.reason,
           pg_catalog.replace(pg_catalog.replace(
               coalesce(r.words, k.words), '{amount}', t.amount::text), '{day}', coalesce(t.first_day::text, '')) AS words
    FROM (
        SELECT e.member_id, e.seq, e.occurred_at, e.posted_at, e.kind, e.amount, e.balance_after, e.reference, e.first_day,
               CASE WHEN e.kind = 'renewal' AND e.amount = 0 AND e.reason IS DISTINCT FROM 'plan_changed' THEN coalesce(
                        (SELECT CASE
                                    WHEN p.allowance = 0 THEN 'no_allowance'
                                    WHEN e.reason IS NULL THEN 'rules_corrected'
                                END
                         FROM renewer.plan AS p
                         WHERE p.code = e.plan AND p.effective_from <= e.first_day
                         ORDER BY p.effective_from DESC
                         LIMIT 1),
                        e.reason)
                    ELSE e.reason END AS reason
        FROM renewer.ledger_entry AS e
        WHERE e.kind <> 'rollover' OR e.amount > 0) AS t
    JOIN renewer.entry_kind AS k ON k.kind = t.kind
    LEFT JOIN renewer.entry_reason AS r ON r.kind = t.kind AND r.reason = t.reason) AS l;
COMMENT ON COLUMN renewer.statement.member_id IS 'whose ledger it is';
COMMENT ON COLUMN renewer.statement.seq IS 'place in it; a page continues after it, by the primary key of ledger_entry';
COMMENT ON COLUMN renewer.statement.occurred_at IS 'when it was due by the member''s calendar, or called for';
COMMENT ON COLUMN renewer.statement.posted_at IS 'when it was written, by the real clock';
COMMENT ON COLUMN renewer.statement.kind IS 'what it records';
COMMENT ON COLUMN renewer.statement.what IS 'the same in words';
COMMENT ON COLUMN renewer.statement.amount IS 'Connects, with their sign; 0 of what rolled over';
COMMENT ON COLUMN renewer.statement.balance_after IS 'Connects after it';
COMMENT ON COLUMN renewer.statement.reference IS 'of a call: the application''s name for it';
COMMENT ON COLUMN renewer.statement.reason IS 'why it is other than expected; null: as expected';
COMMENT ON COLUMN renewer.statement.words IS 'as what, with {credits} in place of Connects';
