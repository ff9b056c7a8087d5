-- Read the next events of a batch.
--
-- An event is what one transaction posted for a member at one instant under one reference: the entries of a boundary, or
-- of a call. Its first entry by this order tells its kind: renewal, late renewal, what a call posted, expiry.
-- Parameters: place, with a target; feed; wanted, how many entries are looked at; most, how many events are made
-- Returns:    member_id, last_seq, event, and whether it is whole: the last one may go on behind the entries looked at
CREATE OR REPLACE FUNCTION renewer.event_page(
    place renewer.place, feed renewer.feed, wanted integer, most integer)
RETURNS TABLE (member_id text, last_seq bigint, whole boolean, event jsonb)
LANGUAGE plpgsql STABLE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH looked_at AS MATERIALIZED (
        SELECT e.*, pg_catalog.count(*) OVER () < event_page.wanted AS ended,
               (pg_catalog.lag(e.member_id) OVER w, pg_catalog.lag(e.xact) OVER w,
                pg_catalog.lag(e.occurred_at) OVER w, pg_catalog.lag(e.reference) OVER w)
               IS DISTINCT FROM (e.member_id, e.xact, e.occurred_at, e.reference) AS begins
        FROM renewer.batch_entries(event_page.place, event_page.feed, event_page.wanted) AS e
        WINDOW w AS (ORDER BY e.member_id, e.seq)
    ),
    numbered AS (
        SELECT l.*, pg_catalog.count(*) FILTER (WHERE l.begins) OVER (ORDER BY l.member_id, l.seq) AS number,
               k.event_rank, k.event_type
        FROM looked_at AS l
        JOIN renewer.entry_kind AS k ON k.kind = l.kind
    ),
    main AS (
        SELECT DISTINCT ON (n.number) n.number, n.member_id, n.kind, n.event_type, n.occurred_at, n.reference, n.reason,
               n.plan, n.first_day, n.last_day
        FROM numbered AS n
        WHERE n.number <= event_page.most
        ORDER BY n.number, n.event_rank, n.seq
    ),
    total AS (
        SELECT n.number, pg_catalog.min(n.seq) AS first_seq, pg_catalog.max(n.seq) AS last_seq,
               pg_catalog.sum(n.amount) AS amount,
               (pg_catalog.array_agg(n.balance_after::integer ORDER BY n.seq DESC))[1] AS balance,
               pg_catalog.sum(n.amount) FILTER (WHERE n.kind IN ('renewal', 'late_renewal')) AS renewed,
               coalesce(pg_catalog.sum(n.amount) FILTER (WHERE n.kind = 'rollover' AND n.amount > 0), 0) AS carried,
               coalesce(-pg_catalog.sum(n.amount) FILTER (WHERE n.kind = 'expiry'), 0) AS expired,
               pg_catalog.bool_and(n.ended) OR n.number < (SELECT pg_catalog.max(o.number) FROM numbered AS o) AS whole
        FROM numbered AS n
        WHERE n.number <= event_page.most
        GROUP BY n.number
    )
    SELECT m.member_id, t.last_seq, t.whole,
           pg_catalog.jsonb_build_object(
               'specversion', '1.0',
               'id', m.member_id || ':' || t.first_seq::text,
               'source', 'urn:uuid:' || (event_page.feed).installation::text,
               'type', m.event_type,
               'subject', m.member_id,
               'time', pg_catalog.to_char(m.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'datacontenttype', 'application/json',
               'data', pg_catalog.jsonb_build_object(
                   'first_seq', t.first_seq, 'last_seq', t.last_seq, 'kind', m.kind, 'amount', t.amount,
                   'balance', t.balance, 'reference', m.reference, 'reason', m.reason, 'plan', m.plan,
                   'renewed', t.renewed, 'carried', t.carried, 'expired', t.expired,
                   'first_day', m.first_day, 'last_day', m.last_day))
    FROM main AS m
    JOIN total AS t ON t.number = m.number
    ORDER BY m.number;
END
$$;
