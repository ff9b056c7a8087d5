-- Lots with Connects left, each with its ends: for the application's pages.
CREATE OR REPLACE VIEW renewer.open_lot AS
SELECT l.member_id, l.number, l.source::text AS source, l.remaining::integer AS remaining,
       l.issued_at::timestamptz AS issued_at, l.expires_at::timestamptz AS expires_at,
       CASE WHEN renewer.is_cycle_bound(l.source)
            THEN renewer.cycle_end(m.cycle_n, m.renews_at, m.anchor_on, m.timezone, l.issued_at) END AS cycle_ends_at
FROM renewer.lot AS l
JOIN renewer.member AS m ON m.member_id = l.member_id
WHERE l.remaining > 0;
COMMENT ON COLUMN renewer.open_lot.member_id IS 'the member who holds them';
COMMENT ON COLUMN renewer.open_lot.number IS 'place among the member''s lots, from 1';
COMMENT ON COLUMN renewer.open_lot.source IS 'allowance, rollover, refund, purchase or bonus';
COMMENT ON COLUMN renewer.open_lot.remaining IS 'Connects that are left in it';
COMMENT ON COLUMN renewer.open_lot.issued_at IS 'when they were issued';
COMMENT ON COLUMN renewer.open_lot.expires_at IS 'when they lapse by themselves; null: never';
COMMENT ON COLUMN renewer.open_lot.cycle_ends_at IS
    'the boundary that carries them or lets them expire, by the plan''s cap; null: no cycle touches them';
