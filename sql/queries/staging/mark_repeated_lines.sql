-- Mark every line whose member an earlier line of the file has already.
--
-- Locks: the staging table's rows, which nobody else sees
UPDATE pg_temp.import_line AS l
SET reason = 'has the member_id of an earlier line'
FROM (
    SELECT i.line, pg_catalog.min(i.line) OVER (PARTITION BY i.member_id) AS first_line
    FROM pg_temp.import_line AS i
    WHERE i.reason IS NULL) AS r
WHERE l.line = r.line AND r.line > r.first_line;
