-- Export the members, or those who came or whose Connects moved from a time on.
--
-- Parameters: since timestamptz, null for all
-- Returns:    what is known of a member, instants in ISO 8601; by member_id
-- Locks:      none
-- Index:      member_pkey; ledger_entry_pkey
SELECT m.member_id, m.plan, m.pending_plan, m.anchor_on, m.timezone, m.status, m.balance, m.cycle_n,
       m.cycle_first_day, m.cycle_last_day,
       pg_catalog.to_json(m.renews_at) #>> '{}' AS renews_at, pg_catalog.to_json(m.lapses_at) #>> '{}' AS lapses_at,
       pg_catalog.to_json(m.due_at) #>> '{}' AS due_at, m.parked, m.last_seq,
       pg_catalog.to_json(m.created_at) #>> '{}' AS created_at
FROM renewer.member AS m
WHERE %(since)s::timestamptz IS NULL
   OR m.created_at >= %(since)s::timestamptz
   OR EXISTS (
       SELECT FROM renewer.ledger_entry AS e
       WHERE e.member_id = m.member_id AND e.posted_at >= %(since)s::timestamptz)
ORDER BY m.member_id;
