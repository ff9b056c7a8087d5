-- Balance and cycle of each member: for the application's pages.
CREATE OR REPLACE VIEW renewer.balance AS
SELECT m.member_id, m.balance::integer AS balance,
       coalesce(o.spendable, 0)::integer AS spendable, o.next_lapse_at,
       m.cycle_first_day AS first_day, m.cycle_last_day AS last_day, m.renews_at::timestamptz AS renews_at
FROM renewer.member AS m
CROSS JOIN LATERAL (
    SELECT pg_catalog.sum(l.remaining::integer) AS spendable,
           pg_catalog.min(l.expires_at::timestamptz) AS next_lapse_at
    FROM renewer.lot AS l
    WHERE l.member_id = m.member_id AND l.remaining > 0
      -- A lapsed lot is not spendable, swept or not.
      AND (l.expires_at IS NULL OR l.expires_at > greatest(pg_catalog.now(), m.last_boundary_at))) AS o;
COMMENT ON COLUMN renewer.balance.member_id IS 'the marketplace''s name of the member';
COMMENT ON COLUMN renewer.balance.balance IS 'Connects in the ledger';
COMMENT ON COLUMN renewer.balance.spendable IS 'Connects that can be spent now: the balance without lapsed lots that no pass has swept yet';
COMMENT ON COLUMN renewer.balance.next_lapse_at IS 'the earliest end of a lot that has one; null: none has';
COMMENT ON COLUMN renewer.balance.first_day IS 'first local day of the cycle; null: enrolled, not awarded yet';
COMMENT ON COLUMN renewer.balance.last_day IS 'last local day of the cycle, inclusive; null: enrolled, not awarded yet';
COMMENT ON COLUMN renewer.balance.renews_at IS 'the next boundary that is not posted; in the past: a pass will post it';
