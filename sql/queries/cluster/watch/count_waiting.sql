-- Count members who are due and requests that wait, each to a limit, where members are spread over nodes.
--
-- Why:        a cluster cannot push the probe for each bucket, a lateral join of a series, to its nodes
-- Parameters: as watch/count_waiting
-- Returns:    as watch/count_waiting
-- Locks:      none
-- Index:      member_due_idx, all of it; request_waiting_idx
SELECT (
    SELECT pg_catalog.count(*)
    FROM (
        SELECT m.member_id
        FROM renewer.member AS m
        WHERE m.due_at <= %(as_of)s::timestamptz
        ORDER BY m.member_id
        LIMIT %(most)s::integer) AS d) AS due,
    (SELECT pg_catalog.count(*)
     FROM (
        SELECT q.member_id
        FROM renewer.request AS q
        WHERE q.applied_at IS NULL
        ORDER BY q.member_id, q.at, q.number
        LIMIT %(most)s::integer) AS w) AS requests;
