-- Say of each rule of a table what it is.
-- depends: 0002_watched

COMMENT ON FUNCTION renewer.check_member IS 'the rules of a member that concern several columns';
COMMENT ON FUNCTION renewer.check_entry IS 'the rules of an entry that concern several columns';
