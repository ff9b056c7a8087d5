-- Read what names this installation.
--
-- Parameters: none
-- Returns:    installation uuid
-- Locks:      none
SELECT f.installation FROM renewer.feed AS f;
