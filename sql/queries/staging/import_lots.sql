-- Give every imported member with a balance the lot that holds it.
--
-- Parameters: as_of timestamptz
-- Locks:      the new rows
INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at, expires_at)
SELECT l.member_id, 1, 'allowance', l.balance, %(as_of)s::timestamptz, l.expires_at
FROM pg_temp.import_line AS l
WHERE l.reason IS NULL AND l.balance > 0;
