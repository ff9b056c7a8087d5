-- What a backfill records of itself, and tighter rules for what a calendar must be able to read.
-- depends: 0002_request

ALTER TABLE renewer.run
    ADD COLUMN late bigint NOT NULL DEFAULT 0,
    ADD COLUMN reason text;

COMMENT ON COLUMN renewer.run.late IS 'members for whom only a late renewal was posted';
COMMENT ON COLUMN renewer.run.reason IS 'what the operator gave as the reason of a backfill';

ALTER TABLE renewer.failure ADD COLUMN plan text, ADD COLUMN timezone text;

ALTER TABLE renewer.ledger_entry
    DROP CONSTRAINT ledger_entry_cycle_named,
    ADD CONSTRAINT ledger_entry_cycle_named CHECK (
        (kind IN ('renewal', 'late_renewal')) = (num_nonnulls(first_day, anchor_on, cycle_n) = 3));

ALTER TABLE renewer.member
    DROP CONSTRAINT member_in_calendar,
    ADD CONSTRAINT member_in_calendar CHECK (
        anchor_on BETWEEN '1900-01-01' AND '9000-01-01' AND renews_at BETWEEN '1900-01-01' AND '9999-01-01');

ALTER TABLE renewer.lot
    DROP CONSTRAINT lot_in_calendar,
    ADD CONSTRAINT lot_in_calendar CHECK (
        issued_at BETWEEN '1900-01-01' AND '9999-01-01' AND expires_at BETWEEN '1900-01-01' AND '9999-01-01');
