INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at, expires_at)
SELECT l.member_id, l.number, l.source, l.remaining, l.issued_at, l.expires_at FROM bench.new_lot AS l ;
UPDATE renewer.lot AS l SET remaining = c.remaining
FROM bench.changed_lot AS c WHERE l.member_id = c.member_id AND l.number = c.number;
INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, lot, first_day, last_day, anchor_on, cycle_n, plan, reason, reference, occurred_at)
SELECT e.member_id, e.seq, e.kind, e.amount, e.balance_after, e.lot, e.first_day, e.last_day, e.anchor_on, e.cycle_n, e.plan, e.reason, e.reference, e.occurred_at
FROM bench.entry AS e ;
UPDATE renewer.member AS m
SET balance = p.balance, cycle_n = p.cycle_n, cycle_first_day = p.cycle_first_day,
    cycle_last_day = p.cycle_last_day, last_boundary_at = p.last_boundary_at, cycle_ended_at = p.cycle_ended_at,
    renews_at = p.renews_at, lapses_at = p.lapses_at, allowance_lot = p.allowance_lot, last_seq = p.last_seq,
    last_lot = p.last_lot, version = m.version + 1
FROM bench.planned AS p WHERE m.member_id = p.member_id;
