-- Find where the next stretch of members ends.
--
-- Parameters: after; size integer
-- Returns:    one row, until: the last member_id of the stretch; null: it goes to the end
-- Locks:      none
-- Index:      member_pkey
SELECT (SELECT m.member_id
        FROM renewer.member AS m
        WHERE m.member_id > %(after)s::text
        ORDER BY m.member_id
        OFFSET %(size)s::integer - 1 LIMIT 1) AS until;
