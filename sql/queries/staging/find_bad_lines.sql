-- Find the staged lines that cannot be imported.
--
-- Returns: line, reason; in the order of the file
-- Locks:   none
SELECT l.line, l.reason FROM pg_temp.import_line AS l WHERE l.reason IS NOT NULL ORDER BY l.line;
