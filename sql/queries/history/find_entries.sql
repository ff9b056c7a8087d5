-- Find a member's last entries, oldest first.
--
-- Parameters: member; since, until timestamptz; before, the seq of the first entry not wanted; limit, null for all
-- Returns:    one row per entry, with the source of the lot it moved
-- Locks:      none
-- Index:      ledger_entry_pkey; lot_pkey
-- Reads:      10 rows, 2 for each returned
SELECT w.seq, w.kind, w.amount, w.balance_after, w.lot, w.source, w.expires_at, w.first_day, w.plan, w.reason,
       w.reference, w.occurred_at, w.posted_at, w.run_id
FROM (
    SELECT e.seq, e.kind, e.amount, e.balance_after, e.lot, l.source, l.expires_at, e.first_day, e.plan, e.reason,
           e.reference, e.occurred_at, e.posted_at, e.run_id
    FROM renewer.ledger_entry AS e
    LEFT JOIN renewer.lot AS l ON l.member_id = e.member_id AND l.number = e.lot
    WHERE e.member_id = %(member)s::text
      AND e.occurred_at::timestamptz >= %(since)s::timestamptz AND e.occurred_at::timestamptz <= %(until)s::timestamptz
      AND e.seq < %(before)s::bigint
    ORDER BY e.seq DESC
    LIMIT %(limit)s::integer) AS w
ORDER BY w.seq;
