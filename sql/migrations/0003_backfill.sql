-- What a backfill records of itself.
-- depends: 0002_request

ALTER TABLE renewer.run
    ADD COLUMN late bigint NOT NULL DEFAULT 0,
    ADD COLUMN reason text;

COMMENT ON COLUMN renewer.run.late IS 'members for whom only a late renewal was posted';
COMMENT ON COLUMN renewer.run.reason IS 'what the operator gave as the reason of a backfill';
