-- The ledger: plans, members, lots, entries, runs and failures.
--
-- Fit for a sharded PostgreSQL: member_id is in every key of member data, and no foreign key or trigger
-- leaves the member. What a foreign key would have checked, `renewer verify` does. member_id sorts by its bytes, so
-- that no upgrade of the system's collations can spoil an index.
-- depends:

CREATE TABLE renewer.plan (
    code            text NOT NULL,
    effective_from  date NOT NULL,
    allowance       integer NOT NULL,
    rollover_cap    integer,
    lifetime_months integer,
    loaded_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT plan_pkey PRIMARY KEY (code, effective_from),
    CONSTRAINT plan_code_length CHECK (length(code) BETWEEN 1 AND 64),
    CONSTRAINT plan_allowance_not_negative CHECK (allowance >= 0),
    CONSTRAINT plan_rollover_cap_not_negative CHECK (rollover_cap >= 0),
    CONSTRAINT plan_lifetime_at_least_a_month CHECK (lifetime_months >= 1)
);

COMMENT ON COLUMN renewer.plan.rollover_cap IS 'null: no limit; 0: nothing carries';

CREATE TABLE renewer.member (
    member_id         text COLLATE "C" NOT NULL,
    shard             smallint NOT NULL GENERATED ALWAYS AS ((hashtextextended(member_id, 0) & 63)::smallint) STORED,
    plan              text NOT NULL,
    anchor_on         date NOT NULL,
    timezone          text NOT NULL DEFAULT 'UTC',
    status            text NOT NULL DEFAULT 'active',
    balance           integer NOT NULL DEFAULT 0,
    cycle_n           integer NOT NULL,
    first_boundary_on date NOT NULL,
    renews_at         timestamptz NOT NULL,
    due_at            timestamptz,
    last_seq          bigint NOT NULL DEFAULT 0,
    last_lot          integer NOT NULL DEFAULT 0,
    version           bigint NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT member_pkey PRIMARY KEY (member_id),
    CONSTRAINT member_id_length CHECK (length(member_id) BETWEEN 1 AND 64),
    CONSTRAINT member_status_known CHECK (status IN ('active', 'under_review', 'suspended', 'closed')),
    CONSTRAINT member_balance_not_negative CHECK (balance >= 0),
    CONSTRAINT member_cycle_not_negative CHECK (cycle_n >= 0),
    -- Within what a client's calendar can hold: a date it cannot read would stop a pass for everybody.
    CONSTRAINT member_in_calendar CHECK (anchor_on >= '1900-01-01' AND renews_at < '9999-01-01'),
    CONSTRAINT member_waiting_is_not_due CHECK (due_at IS NULL OR status IN ('active', 'suspended'))
);

COMMENT ON COLUMN renewer.member.cycle_n IS 'the cycle the ledger has reached, counted from anchor_on';
COMMENT ON COLUMN renewer.member.first_boundary_on IS 'first day of the first cycle this ledger renews';
COMMENT ON COLUMN renewer.member.renews_at IS 'the next boundary not posted yet';
COMMENT ON COLUMN renewer.member.due_at IS 'when a pass next has something to post; null: nothing will be';

CREATE INDEX member_due_idx ON renewer.member (shard, due_at, member_id) WHERE due_at IS NOT NULL;

CREATE TABLE renewer.lot (
    member_id  text COLLATE "C" NOT NULL,
    number     integer NOT NULL,
    source     text NOT NULL,
    remaining  integer NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT lot_pkey PRIMARY KEY (member_id, number),
    CONSTRAINT lot_source_known CHECK (source IN ('allowance', 'rollover', 'refund', 'purchase', 'bonus')),
    CONSTRAINT lot_remaining_not_negative CHECK (remaining >= 0),
    CONSTRAINT lot_in_calendar CHECK (issued_at >= '1900-01-01' AND expires_at < '9999-01-01')
);

CREATE INDEX lot_open_idx ON renewer.lot (member_id, number) WHERE remaining > 0;

CREATE TABLE renewer.ledger_entry (
    member_id     text COLLATE "C" NOT NULL,
    seq           bigint NOT NULL,
    kind          text NOT NULL,
    amount        integer NOT NULL,
    balance_after integer NOT NULL,
    lot           integer,
    first_day     date,
    anchor_on     date,
    cycle_n       integer,
    plan          text,
    reason        text,
    reference     text,
    occurred_at   timestamptz NOT NULL,
    posted_at     timestamptz NOT NULL DEFAULT now(),
    run_id        bigint,
    CONSTRAINT ledger_entry_pkey PRIMARY KEY (member_id, seq),
    -- Short on purpose: PostgreSQL reads every check anew for every statement that inserts.
    CONSTRAINT ledger_entry_balance_not_negative CHECK (balance_after >= 0),
    CONSTRAINT ledger_entry_amount_not_zero CHECK (amount <> 0 OR kind = 'renewal'),
    CONSTRAINT ledger_entry_amount_signed CHECK (
        CASE WHEN amount < 0
            THEN kind IN ('expiry', 'spend', 'rollover', 'adjustment')
            ELSE kind IN ('renewal', 'rollover', 'opening', 'late_renewal', 'purchase', 'bonus', 'refund', 'adjustment')
        END),
    CONSTRAINT ledger_entry_lot_named CHECK ((amount <> 0) = (lot IS NOT NULL)),
    CONSTRAINT ledger_entry_cycle_named CHECK ((kind IN ('renewal', 'late_renewal')) = (first_day IS NOT NULL))
);

COMMENT ON COLUMN renewer.ledger_entry.first_day IS 'first day of the cycle a renewal awards: anchor_on and cycle_n months';
COMMENT ON COLUMN renewer.ledger_entry.occurred_at IS 'when it was due by the member''s calendar';
COMMENT ON COLUMN renewer.ledger_entry.posted_at IS 'when it was written, by the real clock';

-- At most one renewal and one late renewal per member and boundary; ledger_entry_cycle_named keeps the key non-null.
CREATE UNIQUE INDEX ledger_entry_boundary_key ON renewer.ledger_entry (member_id, first_day, kind)
    WHERE kind IN ('renewal', 'late_renewal');

-- Entries are only ever added. The owner gives up its own right to change them, too; roles are never granted it.
REVOKE UPDATE, DELETE, TRUNCATE ON renewer.ledger_entry FROM PUBLIC, CURRENT_USER;

CREATE TABLE renewer.run (
    run_id      bigint GENERATED ALWAYS AS IDENTITY,
    trigger     text NOT NULL,
    catch_up    text NOT NULL,
    as_of       timestamptz NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    stopped     boolean NOT NULL DEFAULT false,
    due         bigint NOT NULL DEFAULT 0,
    renewed     bigint NOT NULL DEFAULT 0,
    expired     bigint NOT NULL DEFAULT 0,
    applied     bigint NOT NULL DEFAULT 0,
    skipped     bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    entries     bigint NOT NULL DEFAULT 0,
    CONSTRAINT run_pkey PRIMARY KEY (run_id),
    CONSTRAINT run_trigger_known CHECK (trigger IN ('schedule', 'manual', 'backfill')),
    CONSTRAINT run_catch_up_known CHECK (catch_up IN ('each', 'latest'))
);

COMMENT ON COLUMN renewer.run.seen_at IS 'when the run last wrote its counts; long ago and not finished: interrupted';
COMMENT ON COLUMN renewer.run.stopped IS 'asked to leave before it had seen all that was due';

CREATE TABLE renewer.failure (
    member_id       text COLLATE "C" NOT NULL,
    code            text NOT NULL,
    message         text NOT NULL,
    attempts        integer NOT NULL DEFAULT 1,
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    last_failed_at  timestamptz NOT NULL DEFAULT now(),
    next_try_at     timestamptz NOT NULL,
    parked          boolean NOT NULL DEFAULT false,
    run_id          bigint,
    CONSTRAINT failure_pkey PRIMARY KEY (member_id),
    CONSTRAINT failure_attempts_from_one CHECK (attempts >= 1)
);
