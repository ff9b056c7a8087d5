-- Mark every line whose member is on record already.
--
-- Locks: the staging table's rows, which nobody else sees
-- Index: member_pkey
UPDATE pg_temp.import_line AS l
SET reason = 'is a member already'
FROM renewer.member AS m
WHERE m.member_id = l.member_id AND l.reason IS NULL;
