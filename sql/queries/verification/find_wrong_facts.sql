-- Find members with a fact of due_at that is later than its source: they would be forgotten; or a failure without one.
--
-- Parameters: after and until, between which member_id lies; until null: to the end
-- Returns: member_id, detail
-- Locks:   none
-- Index:   lot_open_idx; request_waiting_idx; request_pkey
SELECT m.member_id,
       CASE
           WHEN l.lapses_at < coalesce(m.lapses_at, 'infinity') THEN pg_catalog.format(
               'lapses_at is %%s, a lot ends at %%s', coalesce(m.lapses_at::text, 'missing'), l.lapses_at)
           WHEN r.requested_at < coalesce(m.requested_at, 'infinity') THEN pg_catalog.format(
               'requested_at is %%s, a request waits since %%s', coalesce(m.requested_at::text, 'missing'), r.requested_at)
           WHEN e.at < m.renews_at::timestamptz THEN pg_catalog.format(
               'renews_at is %%s, the enrolment is of %%s', m.renews_at, e.at)
           WHEN f.member_id IS NULL THEN 'a next try or a parking without a failure'
           ELSE 'a failure without a next try'
       END AS detail
FROM renewer.member AS m
LEFT JOIN (
    SELECT o.member_id, pg_catalog.min(o.expires_at) AS lapses_at
    FROM renewer.lot AS o
    WHERE o.remaining::integer > 0
      AND o.member_id > %(after)s::text AND (%(until)s::text IS NULL OR o.member_id <= %(until)s::text)
    GROUP BY o.member_id) AS l ON l.member_id = m.member_id
LEFT JOIN (
    SELECT q.member_id,
           -- Under review only its end is applied; before the award of an enrolment, nothing.
           greatest(pg_catalog.min(q.at) FILTER (WHERE h.status::text <> 'under_review' OR q.kind::text = 'set_status'),
                    CASE WHEN h.cycle_n IS NULL THEN h.renews_at END) AS requested_at,
           pg_catalog.count(*) FILTER (WHERE h.status::text <> 'under_review' OR q.kind::text = 'set_status') AS waiting
    FROM renewer.request AS q
    JOIN renewer.member AS h ON h.member_id = q.member_id
    WHERE q.applied_at IS NULL
      AND q.member_id > %(after)s::text AND (%(until)s::text IS NULL OR q.member_id <= %(until)s::text)
    GROUP BY q.member_id, h.cycle_n, h.renews_at) AS r ON r.member_id = m.member_id AND r.waiting > 0
LEFT JOIN renewer.request AS e ON m.cycle_n IS NULL AND e.member_id = m.member_id AND e.kind::text = 'enroll'
LEFT JOIN renewer.failure AS f ON f.member_id = m.member_id
WHERE m.member_id > %(after)s::text AND (%(until)s::text IS NULL OR m.member_id <= %(until)s::text)
  AND (l.lapses_at < coalesce(m.lapses_at, 'infinity')
   OR r.requested_at < coalesce(m.requested_at, 'infinity') AND m.status::text <> 'closed'
   OR e.at < m.renews_at::timestamptz
   OR (f.member_id IS NULL) = (m.retry_at IS NOT NULL OR m.parked))
ORDER BY m.member_id;
