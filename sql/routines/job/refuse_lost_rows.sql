-- Undo a posting of which a trigger or a rule dropped rows in silence: it is the member's failure, whole.
--
-- Parameters: "table", of which rows are missing
-- Errors:     09000, always
CREATE OR REPLACE FUNCTION renewer.refuse_lost_rows("table" text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'triggered_action_exception', MESSAGE = pg_catalog.concat(
        'rows for renewer.', refuse_lost_rows."table", ' were dropped: look for a trigger or a rule that is not renewer''s');
END
$$;
