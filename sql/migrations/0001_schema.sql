-- The schema of renewer: plans, members and their Connects, requests of the marketplace, and the job itself.
--
-- Fit for a sharded PostgreSQL: member_id is in every key of member data and is plain text; no foreign key or trigger
-- leaves the member. `renewer verify` checks what a foreign key would have checked. member_id sorts by its bytes, so that
-- an upgrade of the system's collations cannot spoil an index.
-- Rules of a single value are domains, and the rules of a row are one function per table, because PostgreSQL parses the
-- text of every CHECK anew for each statement that writes.
-- Until the first release this file is edited in place; a database made from an older text of it is refused.
-- depends:


-- 1. Values

CREATE DOMAIN renewer.connects AS integer
    CONSTRAINT connects_not_negative CHECK (VALUE >= 0);
COMMENT ON DOMAIN renewer.connects IS 'whole Connects that somebody holds';

-- Within what a client's calendar can hold: a date it cannot read would stop a pass for everybody.
CREATE DOMAIN renewer.instant AS timestamptz
    CONSTRAINT instant_in_calendar CHECK (
        VALUE BETWEEN '1900-01-01 00:00:00+00' AND '9999-01-01 00:00:00+00');
COMMENT ON DOMAIN renewer.instant IS 'a point in time from 1900 to 9998';

CREATE DOMAIN renewer.day AS date
    CONSTRAINT day_in_calendar CHECK (VALUE BETWEEN '1900-01-01' AND '9000-01-01');
COMMENT ON DOMAIN renewer.day IS 'a local day from 1900 to 8999';

CREATE DOMAIN renewer.lot_source AS text
    CONSTRAINT lot_source_known CHECK (VALUE IN ('allowance', 'rollover', 'refund', 'purchase', 'bonus'));
COMMENT ON DOMAIN renewer.lot_source IS 'where the Connects of a lot came from';

CREATE DOMAIN renewer.member_status AS text
    CONSTRAINT member_status_known CHECK (VALUE IN ('active', 'under_review', 'suspended', 'closed'));
COMMENT ON DOMAIN renewer.member_status IS 'what a member is to the marketplace';

CREATE DOMAIN renewer.request_kind AS text
    CONSTRAINT request_kind_known CHECK (
        VALUE IN ('enroll', 'spend', 'refund', 'purchase', 'grant_bonus', 'change_plan', 'set_status', 'set_timezone'));
COMMENT ON DOMAIN renewer.request_kind IS 'the function the marketplace called';


-- 2. Rules that tables are made of. They are never replaced: a change of one is a function of a new name, and DROP and ADD
-- of what is computed with it in one ALTER.

-- Tell which of 64 parts of the members one belongs to; passes share the work by leases on buckets.
CREATE FUNCTION renewer.bucket_of(member_id text)
RETURNS smallint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ((pg_catalog.hashtext(member_id)::bigint + 2147483648) >> 26)::smallint;

-- Tell when a pass next has something to do for a member; null: nothing. Each fact may be earlier than the truth, which
-- costs one look that finds nothing to post; one that is later would be a member forgotten.
CREATE FUNCTION renewer.due_at(
    status text, renews_at timestamptz, lapses_at timestamptz, requested_at timestamptz, retry_at timestamptz,
    parked boolean)
RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    IF parked OR status = 'closed' THEN
        RETURN NULL;
    END IF;
    IF status = 'under_review' THEN
        -- Boundaries and expiries wait; greatest() alone would take a retry for a request.
        RETURN CASE WHEN requested_at IS NOT NULL THEN greatest(requested_at, retry_at) END;
    END IF;
    RETURN greatest(least(renews_at, lapses_at, requested_at), retry_at);
END
$$;

-- Refuse a member whose columns contradict each other.
CREATE FUNCTION renewer.check_member(
    member_id text, cycle_n integer, cycle_first_day date, cycle_last_day date, first_boundary_on date)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    broken text;
BEGIN
    IF pg_catalog.length(member_id) NOT BETWEEN 1 AND 64 THEN
        broken := 'member_id_length';
    ELSIF cycle_n < 0 THEN
        broken := 'member_cycle_not_negative';
    ELSIF pg_catalog.num_nulls(cycle_n, cycle_first_day, cycle_last_day, first_boundary_on) NOT IN (0, 4) THEN
        broken := 'member_cycle_whole';
    ELSE
        RETURN true;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = broken, SCHEMA = 'renewer', TABLE = 'member',
        MESSAGE = pg_catalog.concat('member ', pg_catalog.quote_literal(member_id), ' breaks rule ', broken);
END
$$;

-- Tell whether Connects of a source end with a cycle, unless the plan lets them roll over.
CREATE FUNCTION renewer.is_cycle_bound(source text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN source IN ('allowance', 'rollover', 'refund');

-- Refuse an entry whose columns contradict each other. The signs are those of table entry_kind, which a CHECK cannot read.
CREATE FUNCTION renewer.check_entry(
    kind text, amount integer, lot integer, first_day date, last_day date, anchor_on date, cycle_n integer)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    sign   integer := CASE
               WHEN kind IN ('opening', 'renewal', 'late_renewal', 'purchase', 'bonus', 'refund') THEN 1
               WHEN kind IN ('expiry', 'spend') THEN -1
               WHEN kind IN ('rollover', 'adjustment') THEN 0 END;
    broken text;
BEGIN
    IF sign IS NULL THEN
        broken := 'ledger_entry_kind_known';
    ELSIF amount = 0 AND kind <> 'renewal' THEN
        broken := 'ledger_entry_amount_not_zero';
    ELSIF amount * sign < 0 THEN
        broken := 'ledger_entry_amount_signed';
    ELSIF (amount <> 0) <> (lot IS NOT NULL) THEN
        broken := 'ledger_entry_lot_named';
    -- The first day is part of a unique key, and a key that may be null allows duplicates.
    ELSIF pg_catalog.num_nulls(first_day, last_day, anchor_on, cycle_n)
            <> (CASE WHEN kind IN ('renewal', 'late_renewal') THEN 0 ELSE 4 END) THEN
        broken := 'ledger_entry_cycle_named';
    ELSE
        RETURN true;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'check_violation', CONSTRAINT = broken, SCHEMA = 'renewer', TABLE = 'ledger_entry',
        MESSAGE = pg_catalog.concat('entry of kind ', kind, ' and amount ', amount, ' breaks rule ', broken);
END
$$;


-- 3. Plans and zones

-- The rules of plans, a row a revision.
CREATE TABLE renewer.plan (
    code            text NOT NULL,  -- the plan's name
    effective_from  date NOT NULL,  -- the first day the revision governs cycles that begin
    allowance       integer NOT NULL,  -- Connects a cycle
    rollover_cap    integer,  -- how many unused Connects are carried at the most; null: no limit
    lifetime_months integer,  -- cycles until an allowance lapses; null: never
    loaded_at       timestamptz NOT NULL DEFAULT now(),  -- when it was put on record, by the real clock
    CONSTRAINT plan_pkey PRIMARY KEY (code, effective_from),
    -- One row that a client cannot read would stop every pass.
    CONSTRAINT plan_effective_from_in_calendar CHECK (effective_from BETWEEN '1900-01-01' AND '9000-01-01'),
    CONSTRAINT plan_code_length CHECK (length(code) BETWEEN 1 AND 64),
    CONSTRAINT plan_allowance_not_negative CHECK (allowance >= 0),
    CONSTRAINT plan_rollover_cap_not_negative CHECK (rollover_cap >= 0),
    CONSTRAINT plan_lifetime_at_least_a_month CHECK (lifetime_months >= 1)
);

-- The zones renewer knows, so that SQL refuses others; filled by renewer migrate.
CREATE TABLE renewer.timezone (
    name text COLLATE "C" NOT NULL,  -- an IANA name
    CONSTRAINT timezone_pkey PRIMARY KEY (name)
);


-- 4. Kinds of entries: all that SQL knows of a kind, a row each. The views, the feed and the checks join these tables.

-- The kinds of entries; filled by the migration.
CREATE TABLE renewer.entry_kind (
    kind       text NOT NULL,  -- the kind
    sign       smallint NOT NULL,  -- 1: it adds Connects, -1: it takes some, 0: either
    source     text,  -- the source of the lot that it fills; null: any, or none
    event_rank smallint NOT NULL,  -- an event is of the kind with the lowest rank among its entries
    event_type text NOT NULL,  -- the type of such an event
    words      text NOT NULL,  -- the line of a statement, with {credits}, {amount} and {day} to be filled in
    CONSTRAINT entry_kind_pkey PRIMARY KEY (kind)
);
INSERT INTO renewer.entry_kind (kind, sign, source, event_rank, event_type, words) VALUES
    ('renewal',      1, 'allowance', 1, 'connects.cycle.renewed', 'Monthly {credits} renewal'),
    ('late_renewal', 1, 'allowance', 2, 'connects.cycle.renewed_late', 'Monthly {credits} renewal of {day}, late'),
    ('opening',      1, NULL,        3, 'connects.imported', 'Balance brought in'),
    ('purchase',     1, 'purchase',  4, 'connects.purchased', '{credits} bought'),
    ('bonus',        1, 'bonus',     5, 'connects.bonus_granted', 'Bonus {credits}'),
    ('spend',       -1, NULL,        6, 'connects.spent', '{credits} spent'),
    ('refund',       1, 'refund',    7, 'connects.refunded', '{credits} returned'),
    ('adjustment',   0, 'allowance', 8, 'connects.adjusted', 'Credit for a change of plan'),
    ('expiry',      -1, NULL,        9, 'connects.expired', 'Unused {credits} expired with their cycle'),
    ('rollover',     0, 'rollover', 10, 'connects.rolled_over', '{amount} unused {credits} rolled over');

-- Lines of a statement for entries with a reason; filled by the migration.
CREATE TABLE renewer.entry_reason (
    kind   text NOT NULL,  -- the kind of the entry
    reason text NOT NULL,  -- its reason, or the one that the view statement finds for a renewal of 0
    words  text NOT NULL,  -- as entry_kind.words, and instead of them
    CONSTRAINT entry_reason_pkey PRIMARY KEY (kind, reason)
);
INSERT INTO renewer.entry_reason (kind, reason, words) VALUES
    ('renewal', 'plan_changed', 'Monthly {credits} renewal: change of plan'),
    ('renewal', 'no_allowance', 'Monthly {credits} renewal: 0, the plan included none'),
    ('renewal', 'rules_corrected', 'Monthly {credits} renewal: 0, the plan''s rules were corrected later'),
    ('renewal', 'suspended', 'Monthly {credits} renewal: 0 while suspended'),
    ('renewal', 'caught_up', 'Monthly {credits} renewal: 0, missed and not made up for'),
    ('expiry', 'lapsed', '{credits} expired: the end of their lifetime');


-- 5. Members and their Connects

-- Who holds Connects, and when the job next has something to do for them.
CREATE TABLE renewer.member (
    member_id         text COLLATE "C" NOT NULL,  -- the marketplace's name of the member, 1 to 64 characters
    -- which of 64 parts of the members; passes share the work by leases on them
    bucket            smallint NOT NULL GENERATED ALWAYS AS (renewer.bucket_of(member_id)) STORED,
    plan              text NOT NULL,  -- the plan of the present cycle
    pending_plan      text,  -- the plan of the next cycle, when it is another
    -- the local day the membership started; cycles are counted from it in months
    anchor_on         renewer.day NOT NULL,
    timezone          text NOT NULL DEFAULT 'UTC',  -- an IANA name
    boundary_timezone text,  -- the zone renews_at was computed in, when timezone changed since
    status            renewer.member_status NOT NULL DEFAULT 'active',  -- active, under_review, suspended or closed
    balance           renewer.connects NOT NULL DEFAULT 0,  -- the sum of what the lots hold
    cycle_n           integer,  -- the cycle the ledger has reached; null: enrolled, not awarded yet
    cycle_first_day   renewer.day,  -- first local day of that cycle, stored when it was posted
    cycle_last_day    renewer.day,  -- last local day of that cycle, inclusive
    first_boundary_on renewer.day,  -- first day of the first cycle this ledger renews
    last_boundary_at  renewer.instant,  -- when the present cycle began, by a boundary or a change of plan
    cycle_ended_at    renewer.instant,  -- the last boundary posted: cycle-bound lots issued before it are over
    renews_at         renewer.instant NOT NULL,  -- the next boundary not posted; of an enrolment not awarded, its time
    lapses_at         timestamptz,  -- the earliest end of an open lot that has one, or earlier
    requested_at      timestamptz,  -- the time of the first waiting request that can be applied, or earlier
    retry_at          timestamptz,  -- after a failure: not before
    parked            boolean NOT NULL DEFAULT false,  -- after a failure: set aside for a person
    -- when a pass next has something to do; null: nothing
    due_at            timestamptz GENERATED ALWAYS AS (
                          renewer.due_at(status, renews_at, lapses_at, requested_at, retry_at, parked)) STORED,
    allowance_lot     integer,  -- the newest allowance lot
    -- what a day's plan changes are reckoned from: on, allowance, elapsed, days, credited, lot
    changed           jsonb,
    last_seq          bigint NOT NULL DEFAULT 0,  -- number of the last entry; 0: none
    last_lot          integer NOT NULL DEFAULT 0,  -- number of the last lot; 0: none
    -- number of the last request; 0: the marketplace never called for them
    last_request      bigint NOT NULL DEFAULT 0,
    -- goes up with every write: who planned with another version plans again
    version           bigint NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),  -- when they were enrolled or imported, by the real clock
    CONSTRAINT member_pkey PRIMARY KEY (member_id),
    CONSTRAINT member_rules CHECK (
        renewer.check_member(member_id, cycle_n, cycle_first_day, cycle_last_day, first_boundary_on))
);

CREATE INDEX member_due_idx ON renewer.member (bucket, due_at, member_id) WHERE due_at IS NOT NULL;
-- Members with a failure are found without a look at the others.
CREATE INDEX member_failing_idx ON renewer.member (renews_at, member_id) WHERE retry_at IS NOT NULL OR parked;

-- Connects issued together.
CREATE TABLE renewer.lot (
    member_id  text COLLATE "C" NOT NULL,  -- who holds them
    number     integer NOT NULL,  -- place among the member's lots, from 1
    -- allowance, rollover and refund end with a cycle; purchase and bonus do not
    source     renewer.lot_source NOT NULL,
    remaining  renewer.connects NOT NULL,  -- what is left
    issued_at  renewer.instant NOT NULL,  -- when they were issued; the first boundary after it ends their cycle
    expires_at renewer.instant,  -- when they lapse by themselves; null: never
    CONSTRAINT lot_pkey PRIMARY KEY (member_id, number)
);

CREATE INDEX lot_open_idx ON renewer.lot (member_id, number) WHERE remaining > 0;

-- The ledger: every movement of Connects, only ever added to.
CREATE TABLE renewer.ledger_entry (
    member_id     text COLLATE "C" NOT NULL,  -- whose Connects moved
    seq           bigint NOT NULL,  -- place in the member's ledger, from 1 without a gap
    kind          text NOT NULL,  -- what it records
    amount        integer NOT NULL,  -- Connects, with their sign; only a renewal may be 0
    balance_after renewer.connects NOT NULL,  -- the member's balance after it
    lot           integer,  -- the lot that was moved; null: the amount is 0
    first_day     date,  -- of a renewal: first local day of the cycle that it awards
    last_day      date,  -- of a renewal: last local day of its cycle, inclusive
    anchor_on     date,  -- of a renewal: the anchor its cycle is counted from
    cycle_n       integer,  -- of a renewal: the number of its cycle
    plan          text,  -- of a renewal or an opening: the plan that governed
    reason        text,  -- why it is other than a member would expect; of a late renewal, the operator's words
    reference     text,  -- of a call: the marketplace's name for it
    occurred_at   renewer.instant NOT NULL,  -- when it was due by the member's calendar, or called for
    posted_at     timestamptz NOT NULL DEFAULT now(),  -- when it was written, by the real clock
    run_id        bigint,  -- the pass that posted it; null: a call or an import
    -- the transaction that posted it, with what feed.raised_by adds
    xact          bigint NOT NULL DEFAULT pg_catalog.pg_current_xact_id()::text::bigint,
    CONSTRAINT ledger_entry_pkey PRIMARY KEY (member_id, seq),
    CONSTRAINT ledger_entry_rules CHECK (
        renewer.check_entry(kind, amount, lot, first_day, last_day, anchor_on, cycle_n))
);

-- At most one renewal and one late renewal per member and boundary; ledger_entry_cycle_named keeps the key non-null.
CREATE UNIQUE INDEX ledger_entry_boundary_key ON renewer.ledger_entry (member_id, first_day, kind)
    WHERE kind IN ('renewal', 'late_renewal');

-- New entries lie behind the others, so that a summary of each few pages finds the entries of some transactions.
CREATE INDEX ledger_entry_xact_idx ON renewer.ledger_entry USING brin (xact)
    WITH (pages_per_range = 32, autosummarize = on);

-- Entries are only ever added. The owner gives up its own right to change them, too; roles are never granted it.
REVOKE UPDATE, DELETE, TRUNCATE ON renewer.ledger_entry FROM PUBLIC, CURRENT_USER;


-- 6. What the marketplace asks for

-- Every call of the marketplace with its content and result, so that it can be repeated.
CREATE TABLE renewer.request (
    member_id   text COLLATE "C" NOT NULL,  -- for whom it was called
    reference   text COLLATE "C" NOT NULL,  -- the marketplace's name for the call, unique for the member
    number      bigint NOT NULL,  -- place among the member's requests, for those of one instant
    kind        renewer.request_kind NOT NULL,  -- the function that was called
    content     jsonb NOT NULL,  -- the arguments of the call, its time aside
    at          timestamptz NOT NULL,  -- when it happened, as the marketplace says
    recorded_at timestamptz NOT NULL DEFAULT now(),  -- when it was called, by the real clock
    applied_at  timestamptz,  -- null: it waits for a pass
    run_id      bigint,  -- the pass that applied it; null: the call itself did
    balance     integer NOT NULL,  -- the balance it left
    first_seq   bigint,  -- the first entry it posted; null: none
    last_seq    bigint,  -- the last entry it posted; null: none
    CONSTRAINT request_pkey PRIMARY KEY (member_id, reference)
);

CREATE INDEX request_waiting_idx ON renewer.request (member_id, at, number) WHERE applied_at IS NULL;
CREATE INDEX request_refund_idx ON renewer.request (member_id, (content ->> 'spend_reference')) WHERE kind = 'refund';


-- 7. The job

-- Every pass of the job, with its counts of members.
CREATE TABLE renewer.run (
    run_id      bigint GENERATED ALWAYS AS IDENTITY,  -- the pass
    -- what started it: schedule, manual, backfill, or announced: all members that a worker heard of within an hour
    trigger     text NOT NULL,
    catch_up    text NOT NULL,  -- what several missed boundaries were worth: each or latest
    named       boolean NOT NULL DEFAULT false,  -- for an explicit list of members, not for all
    reason      text,  -- what the operator gave as the reason of a backfill
    as_of       timestamptz NOT NULL,  -- the time it acted at; of an announced run, the first such time
    started_at  timestamptz NOT NULL DEFAULT now(),  -- when it began, by the real clock
    -- when it last wrote its counts; long ago and not finished: interrupted
    seen_at     timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,  -- when it ended; null: it runs or was interrupted
    stopped     boolean NOT NULL DEFAULT false,  -- asked to leave before it had seen all that was due
    due         bigint NOT NULL DEFAULT 0,  -- members it took up
    renewed     bigint NOT NULL DEFAULT 0,  -- members with a boundary posted
    late        bigint NOT NULL DEFAULT 0,  -- members for whom only a late renewal was posted
    expired     bigint NOT NULL DEFAULT 0,  -- members for whom only expiries were posted
    applied     bigint NOT NULL DEFAULT 0,  -- members for whom only a request was applied
    skipped     bigint NOT NULL DEFAULT 0,  -- members who were busy, or for whom there was nothing to post
    failed      bigint NOT NULL DEFAULT 0,  -- members who could not be posted
    entries     bigint NOT NULL DEFAULT 0,  -- entries posted
    CONSTRAINT run_pkey PRIMARY KEY (run_id),
    CONSTRAINT run_trigger_known CHECK (trigger IN ('schedule', 'manual', 'backfill', 'announced')),
    CONSTRAINT run_catch_up_known CHECK (catch_up IN ('each', 'latest'))
);

-- The last success is the newest entry.
CREATE INDEX run_success_idx ON renewer.run (finished_at)
    WHERE finished_at IS NOT NULL AND NOT stopped AND NOT named AND trigger IN ('schedule', 'manual');
-- By start, not by run_id: the nodes of a cluster give out numbers that are far apart.
CREATE INDEX run_started_idx ON renewer.run (started_at, run_id);

-- Why a member could not be posted; member.retry_at or parked says what comes of it.
CREATE TABLE renewer.failure (
    member_id       text COLLATE "C" NOT NULL,  -- who
    code            text NOT NULL,  -- the kind of error, or its SQLSTATE
    message         text NOT NULL,  -- what is wrong, for a person
    plan            text,  -- the plan that could not be resolved, when that is why
    timezone        text,  -- the zone that could not be resolved, when that is why
    attempts        integer NOT NULL DEFAULT 1,  -- failed tries since the last success
    first_failed_at timestamptz NOT NULL DEFAULT now(),  -- the first of them, by the real clock
    last_failed_at  timestamptz NOT NULL DEFAULT now(),  -- the last of them, by the real clock
    run_id          bigint,  -- the pass of the last of them
    CONSTRAINT failure_pkey PRIMARY KEY (member_id),
    CONSTRAINT failure_attempts_from_one CHECK (attempts >= 1)
);

-- How many members there are, counted by a worker at most hourly, so that nobody else does.
CREATE TABLE renewer.census (
    taken_at     timestamptz NOT NULL DEFAULT now(),  -- when they were counted
    members      jsonb NOT NULL,  -- an array of status, plan and members
    due          jsonb NOT NULL,  -- an array of at, a full hour, and members who become due in it; 48 hours
    without_rule bigint NOT NULL,  -- members whose next boundary has no rule on record
    CONSTRAINT census_pkey PRIMARY KEY (taken_at)
);

-- Each check of the invariants on live data.
CREATE TABLE renewer.verification (
    verification_id bigint GENERATED ALWAYS AS IDENTITY,  -- the check
    began_at        timestamptz NOT NULL DEFAULT now(),  -- when it began
    finished_at     timestamptz,  -- when it had seen everything; null: it has not
    members         bigint NOT NULL DEFAULT 0,  -- members it looked at
    entries         bigint NOT NULL DEFAULT 0,  -- entries it looked at
    violations      bigint NOT NULL DEFAULT 0,  -- how often an invariant was broken
    CONSTRAINT verification_pkey PRIMARY KEY (verification_id)
);

-- The workers there are; one that leaves takes its row away.
CREATE TABLE renewer.worker (
    worker_id  bigint GENERATED ALWAYS AS IDENTITY,  -- the worker
    host       text NOT NULL,  -- the host it runs on
    process    integer NOT NULL,  -- its process there
    version    text NOT NULL,  -- the release of renewer
    monitor    text NOT NULL,  -- address of its health and metrics; none: it could not be had; off: not wanted
    hearing    boolean NOT NULL,  -- whether it hears what is announced
    started_at timestamptz NOT NULL,  -- when it started, by its own clock
    seen_at    timestamptz NOT NULL DEFAULT now(),  -- its last sign of life; long ago: it died
    CONSTRAINT worker_pkey PRIMARY KEY (worker_id)
);


-- 8. The feed: ticks that cut the ledger into batches, and seals

-- Whose feed the ledger is; one row.
CREATE TABLE renewer.feed (
    only_one     boolean NOT NULL DEFAULT true,  -- true
    -- names the installation, wherever it is moved to: source and ids of events
    installation uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    server       bigint NOT NULL,  -- the server whose transactions are counted, as pg_control_system() names it
    -- what is added to its transaction ids, so that they are above those of the server the ledger was moved from
    raised_by    bigint NOT NULL DEFAULT 0,
    ticks        bigint NOT NULL DEFAULT 0,  -- number of the last tick; 0: none
    CONSTRAINT feed_pkey PRIMARY KEY (only_one),
    CONSTRAINT feed_only_one CHECK (only_one)
);
INSERT INTO renewer.feed (server) SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s;

-- Where the ledger is cut into batches: batch n is what snapshot n sees and snapshot n - 1 did not.
CREATE TABLE renewer.tick (
    number    bigint NOT NULL,  -- from 1 without a gap; old ones are thinned, their batches then are one
    snapshot  pg_snapshot NOT NULL,  -- the transactions that had committed
    ticked_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),  -- when, by the real clock
    CONSTRAINT tick_pkey PRIMARY KEY (number)
);

-- Since which tick another server of the installation carries on: what the one before ticked from there on is lost.
CREATE TABLE renewer.timeline (
    number     integer NOT NULL,  -- PostgreSQL's number, higher after each failover and each restore to a point in time
    first_tick bigint NOT NULL,  -- the first tick of it
    CONSTRAINT timeline_pkey PRIMARY KEY (number)
);

-- What each batch of the ledger was, so that a change of it can be told.
CREATE TABLE renewer.seal (
    number    bigint NOT NULL,  -- the tick that ends the batch; the one before is the seal before
    snapshot  pg_snapshot NOT NULL,  -- the tick's: the transactions that had committed
    raised_by bigint NOT NULL,  -- the feed's at that time
    ticked_at timestamptz NOT NULL,  -- the tick's time
    entries   bigint NOT NULL,  -- entries of the batch
    hash      bytea NOT NULL,  -- SHA-256 of the hash before and the batch's entries
    sealed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),  -- when it was sealed, by the real clock
    CONSTRAINT seal_pkey PRIMARY KEY (number),
    CONSTRAINT seal_hash_whole CHECK (length(hash) = 32)
);
-- Seals are only ever added, as entries are.
REVOKE UPDATE, DELETE, TRUNCATE ON renewer.seal FROM PUBLIC, CURRENT_USER;

CREATE TYPE renewer.place AS (
    base_number   bigint,
    base          pg_snapshot,
    target_number bigint,
    target        pg_snapshot,
    timeline      integer,
    by_key        boolean,
    member_id     text,
    seq           bigint
);
COMMENT ON TYPE renewer.place IS
    'how far a reader is: all that base saw, and of what target saw besides up to an entry; what a cursor carries';


-- 9. The contract between the planner and the posting procedure: what a batch looks like on its way to SQL. Wide types
-- without rules, so that a value no table holds fails inside its own member's transaction.

CREATE TYPE renewer.planned_lot AS (
    number     bigint,
    source     text,
    remaining  bigint,
    issued_at  timestamptz,
    expires_at timestamptz
);
COMMENT ON TYPE renewer.planned_lot IS 'a lot as a posting leaves it';

CREATE TYPE renewer.planned_entry AS (
    seq           bigint,
    kind          text,
    amount        bigint,
    balance_after bigint,
    occurred_at   timestamptz,
    lot           bigint,
    first_day     date,
    last_day      date,
    anchor_on     date,
    cycle_n       bigint,
    plan          text,
    reason        text,
    reference     text
);
COMMENT ON TYPE renewer.planned_entry IS 'an entry to be posted';

CREATE TYPE renewer.planned_request AS (
    reference text,
    balance   bigint,
    first_seq bigint,
    last_seq  bigint
);
COMMENT ON TYPE renewer.planned_request IS 'a waiting request that a posting applies, with its result';

CREATE TYPE renewer.planned AS (
    -- who, and the version that was planned
    member_id         text,
    version           bigint,
    -- what is written
    entries           renewer.planned_entry[],
    new_lots          renewer.planned_lot[],
    changed_lots      renewer.planned_lot[],
    applied           renewer.planned_request[],
    -- the member once it is written
    plan              text,
    pending_plan      text,
    anchor_on         date,
    timezone          text,
    boundary_timezone text,
    status            text,
    balance           bigint,
    cycle_n           bigint,
    cycle_first_day   date,
    cycle_last_day    date,
    first_boundary_on date,
    last_boundary_at  renewer.instant,
    cycle_ended_at    renewer.instant,
    renews_at         timestamptz,
    lapses_at         timestamptz,
    requested_at      timestamptz,
    allowance_lot     bigint,
    changed           jsonb,
    last_seq          bigint,
    last_lot          bigint,
    -- if it fails, or could not be planned at all: why, and when it is tried again
    error_code        text,
    error_message     text,
    error_plan        text,
    error_timezone    text,
    retry_at          timestamptz
);
COMMENT ON TYPE renewer.planned IS 'what one transaction writes for one member: a posting, or why there is none';
