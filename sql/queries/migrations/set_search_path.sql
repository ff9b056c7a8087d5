-- Make the schema the session's first, so that the migration tool's tables land in it.
SET search_path TO renewer, pg_catalog;
