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
COMMENT ON FUNCTION renewer.bucket_of IS 'which of 64 parts of the members one belongs to, 0 to 63';

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
COMMENT ON FUNCTION renewer.due_at IS 'when a pass next has something to do for a member; null: nothing';

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
COMMENT ON FUNCTION renewer.check_member IS 'rules of a member that concern several columns';

-- Tell whether Connects of a source end with a cycle, unless the plan lets them roll over.
CREATE FUNCTION renewer.is_cycle_bound(source text)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN source IN ('allowance', 'rollover', 'refund');
COMMENT ON FUNCTION renewer.is_cycle_bound IS 'whether Connects of a source end with a cycle';

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
COMMENT ON FUNCTION renewer.check_entry IS 'rules of an entry that concern several columns';


-- 3. Plans and zones

CREATE TABLE renewer.plan (
    code            text NOT NULL,
    effective_from  date NOT NULL,
    allowance       integer NOT NULL,
    rollover_cap    integer,
    lifetime_months integer,
    loaded_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT plan_pkey PRIMARY KEY (code, effective_from),
    -- One row that a client cannot read would stop every pass.
    CONSTRAINT plan_effective_from_in_calendar CHECK (effective_from BETWEEN '1900-01-01' AND '9000-01-01'),
    CONSTRAINT plan_code_length CHECK (length(code) BETWEEN 1 AND 64),
    CONSTRAINT plan_allowance_not_negative CHECK (allowance >= 0),
    CONSTRAINT plan_rollover_cap_not_negative CHECK (rollover_cap >= 0),
    CONSTRAINT plan_lifetime_at_least_a_month CHECK (lifetime_months >= 1)
);
COMMENT ON TABLE renewer.plan IS 'the rules of plans, a row a revision';
COMMENT ON COLUMN renewer.plan.code IS 'the plan''s name';
COMMENT ON COLUMN renewer.plan.effective_from IS 'the first day the revision governs cycles that begin';
COMMENT ON COLUMN renewer.plan.allowance IS 'Connects a cycle';
COMMENT ON COLUMN renewer.plan.rollover_cap IS 'how many unused Connects are carried at the most; null: no limit';
COMMENT ON COLUMN renewer.plan.lifetime_months IS 'cycles until an allowance lapses; null: never';
COMMENT ON COLUMN renewer.plan.loaded_at IS 'when it was put on record, by the real clock';

CREATE TABLE renewer.timezone (
    name text COLLATE "C" NOT NULL,
    CONSTRAINT timezone_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE renewer.timezone IS 'the zones renewer knows, so that SQL refuses others; filled by renewer migrate';
COMMENT ON COLUMN renewer.timezone.name IS 'an IANA name';


-- 4. Kinds of entries: all that SQL knows of a kind, a row each. The views, the feed and the checks join these tables.

CREATE TABLE renewer.entry_kind (
    kind       text NOT NULL,
    sign       smallint NOT NULL,
    source     text,
    event_rank smallint NOT NULL,
    event_type text NOT NULL,
    words      text NOT NULL,
    CONSTRAINT entry_kind_pkey PRIMARY KEY (kind)
);
COMMENT ON TABLE renewer.entry_kind IS 'the kinds of entries; filled by the migration';
COMMENT ON COLUMN renewer.entry_kind.kind IS 'the kind';
COMMENT ON COLUMN renewer.entry_kind.sign IS '1: it adds Connects, -1: it takes some, 0: either';
COMMENT ON COLUMN renewer.entry_kind.source IS 'the source of the lot that it fills; null: any, or none';
COMMENT ON COLUMN renewer.entry_kind.event_rank IS 'an event is of the kind with the lowest rank among its entries';
COMMENT ON COLUMN renewer.entry_kind.event_type IS 'the type of such an event';
COMMENT ON COLUMN renewer.entry_kind.words IS 'the line of a statement, with {credits}, {amount} and {day} to be filled in';
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

CREATE TABLE renewer.entry_reason (
    kind   text NOT NULL,
    reason text NOT NULL,
    words  text NOT NULL,
    CONSTRAINT entry_reason_pkey PRIMARY KEY (kind, reason)
);
COMMENT ON TABLE renewer.entry_reason IS 'lines of a statement for entries with a reason; filled by the migration';
COMMENT ON COLUMN renewer.entry_reason.kind IS 'the kind of the entry';
COMMENT ON COLUMN renewer.entry_reason.reason IS 'its reason, or the one that the view statement finds for a renewal of 0';
COMMENT ON COLUMN renewer.entry_reason.words IS 'as entry_kind.words, and instead of them';
INSERT INTO renewer.entry_reason (kind, reason, words) VALUES
    ('renewal', 'plan_changed', 'Monthly {credits} renewal: change of plan'),
    ('renewal', 'no_allowance', 'Monthly {credits} renewal: 0, the plan included none'),
    ('renewal', 'rules_corrected', 'Monthly {credits} renewal: 0, the plan''s rules were corrected later'),
    ('renewal', 'suspended', 'Monthly {credits} renewal: 0 while suspended'),
    ('renewal', 'caught_up', 'Monthly {credits} renewal: 0, missed and not made up for'),
    ('expiry', 'lapsed', '{credits} expired: the end of their lifetime');


-- 5. Members and their Connects

CREATE TABLE renewer.member (
    member_id         text COLLATE "C" NOT NULL,
    bucket            smallint NOT NULL GENERATED ALWAYS AS (renewer.bucket_of(member_id)) STORED,
    plan              text NOT NULL,
    pending_plan      text,
    anchor_on         renewer.day NOT NULL,
    timezone          text NOT NULL DEFAULT 'UTC',
    boundary_timezone text,
    status            renewer.member_status NOT NULL DEFAULT 'active',
    balance           renewer.connects NOT NULL DEFAULT 0,
    cycle_n           integer,
    cycle_first_day   renewer.day,
    cycle_last_day    renewer.day,
    first_boundary_on renewer.day,
    last_boundary_at  renewer.instant,
    cycle_ended_at    renewer.instant,
    renews_at         renewer.instant NOT NULL,
    lapses_at         timestamptz,
    requested_at      timestamptz,
    retry_at          timestamptz,
    parked            boolean NOT NULL DEFAULT false,
    due_at            timestamptz GENERATED ALWAYS AS (
                          renewer.due_at(status, renews_at, lapses_at, requested_at, retry_at, parked)) STORED,
    allowance_lot     integer,
    changed           jsonb,
    last_seq          bigint NOT NULL DEFAULT 0,
    last_lot          integer NOT NULL DEFAULT 0,
    last_request      bigint NOT NULL DEFAULT 0,
    version           bigint NOT NULL DEFAULT 1,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT member_pkey PRIMARY KEY (member_id),
    CONSTRAINT member_rules CHECK (
        renewer.check_member(member_id, cycle_n, cycle_first_day, cycle_last_day, first_boundary_on))
);
COMMENT ON TABLE renewer.member IS 'who holds Connects, and when the job next has something to do for them';
COMMENT ON COLUMN renewer.member.member_id IS 'the marketplace''s name of the member, 1 to 64 characters';
COMMENT ON COLUMN renewer.member.bucket IS 'which of 64 parts of the members; passes share the work by leases on them';
COMMENT ON COLUMN renewer.member.plan IS 'the plan of the present cycle';
COMMENT ON COLUMN renewer.member.pending_plan IS 'the plan of the next cycle, when it is another';
COMMENT ON COLUMN renewer.member.anchor_on IS 'the local day the membership started; cycles are counted from it in months';
COMMENT ON COLUMN renewer.member.timezone IS 'an IANA name';
COMMENT ON COLUMN renewer.member.boundary_timezone IS 'the zone renews_at was computed in, when timezone changed since';
COMMENT ON COLUMN renewer.member.status IS 'active, under_review, suspended or closed';
COMMENT ON COLUMN renewer.member.balance IS 'the sum of what the lots hold';
COMMENT ON COLUMN renewer.member.cycle_n IS 'the cycle the ledger has reached; null: enrolled, not awarded yet';
COMMENT ON COLUMN renewer.member.cycle_first_day IS 'first local day of that cycle, stored when it was posted';
COMMENT ON COLUMN renewer.member.cycle_last_day IS 'last local day of that cycle, inclusive';
COMMENT ON COLUMN renewer.member.first_boundary_on IS 'first day of the first cycle this ledger renews';
COMMENT ON COLUMN renewer.member.last_boundary_at IS 'when the present cycle began, by a boundary or a change of plan';
COMMENT ON COLUMN renewer.member.cycle_ended_at IS 'the last boundary posted: cycle-bound lots issued before it are over';
COMMENT ON COLUMN renewer.member.renews_at IS 'the next boundary not posted; of an enrolment not awarded, its time';
COMMENT ON COLUMN renewer.member.lapses_at IS 'the earliest end of an open lot that has one, or earlier';
COMMENT ON COLUMN renewer.member.requested_at IS 'the time of the first waiting request that can be applied, or earlier';
COMMENT ON COLUMN renewer.member.retry_at IS 'after a failure: not before';
COMMENT ON COLUMN renewer.member.parked IS 'after a failure: set aside for a person';
COMMENT ON COLUMN renewer.member.due_at IS 'when a pass next has something to do; null: nothing';
COMMENT ON COLUMN renewer.member.allowance_lot IS 'the newest allowance lot';
COMMENT ON COLUMN renewer.member.changed IS 'what a day''s plan changes are reckoned from: on, allowance, elapsed, days, credited, lot';
COMMENT ON COLUMN renewer.member.last_seq IS 'number of the last entry; 0: none';
COMMENT ON COLUMN renewer.member.last_lot IS 'number of the last lot; 0: none';
COMMENT ON COLUMN renewer.member.last_request IS 'number of the last request; 0: the marketplace never called for them';
COMMENT ON COLUMN renewer.member.version IS 'goes up with every write: who planned with another version plans again';
COMMENT ON COLUMN renewer.member.created_at IS 'when they were enrolled or imported, by the real clock';

CREATE INDEX member_due_idx ON renewer.member (bucket, due_at, member_id) WHERE due_at IS NOT NULL;
-- Members with a failure are found without a look at the others.
CREATE INDEX member_failing_idx ON renewer.member (renews_at, member_id) WHERE retry_at IS NOT NULL OR parked;

CREATE TABLE renewer.lot (
    member_id  text COLLATE "C" NOT NULL,
    number     integer NOT NULL,
    source     renewer.lot_source NOT NULL,
    remaining  renewer.connects NOT NULL,
    issued_at  renewer.instant NOT NULL,
    expires_at renewer.instant,
    CONSTRAINT lot_pkey PRIMARY KEY (member_id, number)
);
COMMENT ON TABLE renewer.lot IS 'Connects issued together';
COMMENT ON COLUMN renewer.lot.member_id IS 'who holds them';
COMMENT ON COLUMN renewer.lot.number IS 'place among the member''s lots, from 1';
COMMENT ON COLUMN renewer.lot.source IS 'allowance, rollover and refund end with a cycle; purchase and bonus do not';
COMMENT ON COLUMN renewer.lot.remaining IS 'what is left';
COMMENT ON COLUMN renewer.lot.issued_at IS 'when they were issued; the first boundary after it ends their cycle';
COMMENT ON COLUMN renewer.lot.expires_at IS 'when they lapse by themselves; null: never';

CREATE INDEX lot_open_idx ON renewer.lot (member_id, number) WHERE remaining > 0;

CREATE TABLE renewer.ledger_entry (
    member_id     text COLLATE "C" NOT NULL,
    seq           bigint NOT NULL,
    kind          text NOT NULL,
    amount        integer NOT NULL,
    balance_after renewer.connects NOT NULL,
    lot           integer,
    first_day     date,
    last_day      date,
    anchor_on     date,
    cycle_n       integer,
    plan          text,
    reason        text,
    reference     text,
    occurred_at   renewer.instant NOT NULL,
    posted_at     timestamptz NOT NULL DEFAULT now(),
    run_id        bigint,
    xact          bigint NOT NULL DEFAULT pg_catalog.pg_current_xact_id()::text::bigint,
    CONSTRAINT ledger_entry_pkey PRIMARY KEY (member_id, seq),
    CONSTRAINT ledger_entry_rules CHECK (
        renewer.check_entry(kind, amount, lot, first_day, last_day, anchor_on, cycle_n))
);
COMMENT ON TABLE renewer.ledger_entry IS 'the ledger: every movement of Connects, only ever added to';
COMMENT ON COLUMN renewer.ledger_entry.member_id IS 'whose Connects moved';
COMMENT ON COLUMN renewer.ledger_entry.seq IS 'place in the member''s ledger, from 1 without a gap';
COMMENT ON COLUMN renewer.ledger_entry.kind IS 'what it records';
COMMENT ON COLUMN renewer.ledger_entry.amount IS 'Connects, with their sign; only a renewal may be 0';
COMMENT ON COLUMN renewer.ledger_entry.balance_after IS 'the member''s balance after it';
COMMENT ON COLUMN renewer.ledger_entry.lot IS 'the lot that was moved; null: the amount is 0';
COMMENT ON COLUMN renewer.ledger_entry.first_day IS 'of a renewal: first local day of the cycle that it awards';
COMMENT ON COLUMN renewer.ledger_entry.last_day IS 'of a renewal: last local day of its cycle, inclusive';
COMMENT ON COLUMN renewer.ledger_entry.anchor_on IS 'of a renewal: the anchor its cycle is counted from';
COMMENT ON COLUMN renewer.ledger_entry.cycle_n IS 'of a renewal: the number of its cycle';
COMMENT ON COLUMN renewer.ledger_entry.plan IS 'of a renewal or an opening: the plan that governed';
COMMENT ON COLUMN renewer.ledger_entry.reason IS 'why it is other than a member would expect; of a late renewal, the operator''s words';
COMMENT ON COLUMN renewer.ledger_entry.reference IS 'of a call: the marketplace''s name for it';
COMMENT ON COLUMN renewer.ledger_entry.occurred_at IS 'when it was due by the member''s calendar, or called for';
COMMENT ON COLUMN renewer.ledger_entry.posted_at IS 'when it was written, by the real clock';
COMMENT ON COLUMN renewer.ledger_entry.run_id IS 'the pass that posted it; null: a call or an import';
COMMENT ON COLUMN renewer.ledger_entry.xact IS 'the transaction that posted it, with what feed.raised_by adds';

-- At most one renewal and one late renewal per member and boundary; ledger_entry_cycle_named keeps the key non-null.
CREATE UNIQUE INDEX ledger_entry_boundary_key ON renewer.ledger_entry (member_id, first_day, kind)
    WHERE kind IN ('renewal', 'late_renewal');

-- New entries lie behind the others, so that a summary of each few pages finds the entries of some transactions.
CREATE INDEX ledger_entry_xact_idx ON renewer.ledger_entry USING brin (xact)
    WITH (pages_per_range = 32, autosummarize = on);

-- Entries are only ever added. The owner gives up its own right to change them, too; roles are never granted it.
REVOKE UPDATE, DELETE, TRUNCATE ON renewer.ledger_entry FROM PUBLIC, CURRENT_USER;


-- 6. What the marketplace asks for

CREATE TABLE renewer.request (
    member_id   text COLLATE "C" NOT NULL,
    reference   text COLLATE "C" NOT NULL,
    number      bigint NOT NULL,
    kind        renewer.request_kind NOT NULL,
    content     jsonb NOT NULL,
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    applied_at  timestamptz,
    run_id      bigint,
    balance     integer NOT NULL,
    first_seq   bigint,
    last_seq    bigint,
    CONSTRAINT request_pkey PRIMARY KEY (member_id, reference)
);
COMMENT ON TABLE renewer.request IS 'every call of the marketplace with its content and result, so that it can be repeated';
COMMENT ON COLUMN renewer.request.member_id IS 'for whom it was called';
COMMENT ON COLUMN renewer.request.reference IS 'the marketplace''s name for the call, unique for the member';
COMMENT ON COLUMN renewer.request.number IS 'place among the member''s requests, for those of one instant';
COMMENT ON COLUMN renewer.request.kind IS 'the function that was called';
COMMENT ON COLUMN renewer.request.content IS 'the arguments of the call, its time aside';
COMMENT ON COLUMN renewer.request.at IS 'when it happened, as the marketplace says';
COMMENT ON COLUMN renewer.request.recorded_at IS 'when it was called, by the real clock';
COMMENT ON COLUMN renewer.request.applied_at IS 'null: it waits for a pass';
COMMENT ON COLUMN renewer.request.run_id IS 'the pass that applied it; null: the call itself did';
COMMENT ON COLUMN renewer.request.balance IS 'the balance it left';
COMMENT ON COLUMN renewer.request.first_seq IS 'the first entry it posted; null: none';
COMMENT ON COLUMN renewer.request.last_seq IS 'the last entry it posted; null: none';

CREATE INDEX request_waiting_idx ON renewer.request (member_id, at, number) WHERE applied_at IS NULL;
CREATE INDEX request_refund_idx ON renewer.request (member_id, (content ->> 'spend_reference')) WHERE kind = 'refund';


-- 7. The job

CREATE TABLE renewer.run (
    run_id      bigint GENERATED ALWAYS AS IDENTITY,
    trigger     text NOT NULL,
    catch_up    text NOT NULL,
    named       boolean NOT NULL DEFAULT false,
    reason      text,
    as_of       timestamptz NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    stopped     boolean NOT NULL DEFAULT false,
    due         bigint NOT NULL DEFAULT 0,
    renewed     bigint NOT NULL DEFAULT 0,
    late        bigint NOT NULL DEFAULT 0,
    expired     bigint NOT NULL DEFAULT 0,
    applied     bigint NOT NULL DEFAULT 0,
    skipped     bigint NOT NULL DEFAULT 0,
    failed      bigint NOT NULL DEFAULT 0,
    entries     bigint NOT NULL DEFAULT 0,
    CONSTRAINT run_pkey PRIMARY KEY (run_id),
    CONSTRAINT run_trigger_known CHECK (trigger IN ('schedule', 'manual', 'backfill', 'announced')),
    CONSTRAINT run_catch_up_known CHECK (catch_up IN ('each', 'latest'))
);
COMMENT ON TABLE renewer.run IS 'every pass of the job, with its counts of members';
COMMENT ON COLUMN renewer.run.run_id IS 'the pass';
COMMENT ON COLUMN renewer.run.trigger IS
    'what started it: schedule, manual, backfill, or announced: all members that a worker heard of within an hour';
COMMENT ON COLUMN renewer.run.catch_up IS 'what several missed boundaries were worth: each or latest';
COMMENT ON COLUMN renewer.run.named IS 'for an explicit list of members, not for all';
COMMENT ON COLUMN renewer.run.reason IS 'what the operator gave as the reason of a backfill';
COMMENT ON COLUMN renewer.run.as_of IS 'the time it acted at; of an announced run, the first such time';
COMMENT ON COLUMN renewer.run.started_at IS 'when it began, by the real clock';
COMMENT ON COLUMN renewer.run.seen_at IS 'when it last wrote its counts; long ago and not finished: interrupted';
COMMENT ON COLUMN renewer.run.finished_at IS 'when it ended; null: it runs or was interrupted';
COMMENT ON COLUMN renewer.run.stopped IS 'asked to leave before it had seen all that was due';
COMMENT ON COLUMN renewer.run.due IS 'members it took up';
COMMENT ON COLUMN renewer.run.renewed IS 'members with a boundary posted';
COMMENT ON COLUMN renewer.run.late IS 'members for whom only a late renewal was posted';
COMMENT ON COLUMN renewer.run.expired IS 'members for whom only expiries were posted';
COMMENT ON COLUMN renewer.run.applied IS 'members for whom only a request was applied';
COMMENT ON COLUMN renewer.run.skipped IS 'members who were busy, or for whom there was nothing to post';
COMMENT ON COLUMN renewer.run.failed IS 'members who could not be posted';
COMMENT ON COLUMN renewer.run.entries IS 'entries posted';

-- The last success is the newest entry.
CREATE INDEX run_success_idx ON renewer.run (finished_at)
    WHERE finished_at IS NOT NULL AND NOT stopped AND NOT named AND trigger IN ('schedule', 'manual');
-- By start, not by run_id: the nodes of a cluster give out numbers that are far apart.
CREATE INDEX run_started_idx ON renewer.run (started_at, run_id);

CREATE TABLE renewer.failure (
    member_id       text COLLATE "C" NOT NULL,
    code            text NOT NULL,
    message         text NOT NULL,
    plan            text,
    timezone        text,
    attempts        integer NOT NULL DEFAULT 1,
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    last_failed_at  timestamptz NOT NULL DEFAULT now(),
    run_id          bigint,
    CONSTRAINT failure_pkey PRIMARY KEY (member_id),
    CONSTRAINT failure_attempts_from_one CHECK (attempts >= 1)
);
COMMENT ON TABLE renewer.failure IS 'why a member could not be posted; member.retry_at or parked says what comes of it';
COMMENT ON COLUMN renewer.failure.member_id IS 'who';
COMMENT ON COLUMN renewer.failure.code IS 'the kind of error, or its SQLSTATE';
COMMENT ON COLUMN renewer.failure.message IS 'what is wrong, for a person';
COMMENT ON COLUMN renewer.failure.plan IS 'the plan that could not be resolved, when that is why';
COMMENT ON COLUMN renewer.failure.timezone IS 'the zone that could not be resolved, when that is why';
COMMENT ON COLUMN renewer.failure.attempts IS 'failed tries since the last success';
COMMENT ON COLUMN renewer.failure.first_failed_at IS 'the first of them, by the real clock';
COMMENT ON COLUMN renewer.failure.last_failed_at IS 'the last of them, by the real clock';
COMMENT ON COLUMN renewer.failure.run_id IS 'the pass of the last of them';

CREATE TABLE renewer.census (
    taken_at     timestamptz NOT NULL DEFAULT now(),
    members      jsonb NOT NULL,
    due          jsonb NOT NULL,
    without_rule bigint NOT NULL,
    CONSTRAINT census_pkey PRIMARY KEY (taken_at)
);
COMMENT ON TABLE renewer.census IS 'how many members there are, counted by a worker at most hourly, so that nobody else does';
COMMENT ON COLUMN renewer.census.taken_at IS 'when they were counted';
COMMENT ON COLUMN renewer.census.members IS 'an array of status, plan and members';
COMMENT ON COLUMN renewer.census.due IS 'an array of at, a full hour, and members who become due in it; 48 hours';
COMMENT ON COLUMN renewer.census.without_rule IS 'members whose next boundary has no rule on record';

CREATE TABLE renewer.verification (
    verification_id bigint GENERATED ALWAYS AS IDENTITY,
    began_at        timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    members         bigint NOT NULL DEFAULT 0,
    entries         bigint NOT NULL DEFAULT 0,
    violations      bigint NOT NULL DEFAULT 0,
    CONSTRAINT verification_pkey PRIMARY KEY (verification_id)
);
COMMENT ON TABLE renewer.verification IS 'each check of the invariants on live data';
COMMENT ON COLUMN renewer.verification.verification_id IS 'the check';
COMMENT ON COLUMN renewer.verification.began_at IS 'when it began';
COMMENT ON COLUMN renewer.verification.finished_at IS 'when it had seen everything; null: it has not';
COMMENT ON COLUMN renewer.verification.members IS 'members it looked at';
COMMENT ON COLUMN renewer.verification.entries IS 'entries it looked at';
COMMENT ON COLUMN renewer.verification.violations IS 'how often an invariant was broken';

CREATE TABLE renewer.worker (
    worker_id  bigint GENERATED ALWAYS AS IDENTITY,
    host       text NOT NULL,
    process    integer NOT NULL,
    version    text NOT NULL,
    monitor    text NOT NULL,
    hearing    boolean NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT worker_pkey PRIMARY KEY (worker_id)
);
COMMENT ON TABLE renewer.worker IS 'the workers there are; one that leaves takes its row away';
COMMENT ON COLUMN renewer.worker.worker_id IS 'the worker';
COMMENT ON COLUMN renewer.worker.host IS 'the host it runs on';
COMMENT ON COLUMN renewer.worker.process IS 'its process there';
COMMENT ON COLUMN renewer.worker.version IS 'the release of renewer';
COMMENT ON COLUMN renewer.worker.monitor IS 'address of its health and metrics; none: it could not be had; off: not wanted';
COMMENT ON COLUMN renewer.worker.hearing IS 'whether it hears what is announced';
COMMENT ON COLUMN renewer.worker.started_at IS 'when it started, by its own clock';
COMMENT ON COLUMN renewer.worker.seen_at IS 'its last sign of life; long ago: it died';


-- 8. The feed: ticks that cut the ledger into batches, and seals

CREATE TABLE renewer.feed (
    only_one     boolean NOT NULL DEFAULT true,
    installation uuid NOT NULL DEFAULT pg_catalog.gen_random_uuid(),
    server       bigint NOT NULL,
    raised_by    bigint NOT NULL DEFAULT 0,
    ticks        bigint NOT NULL DEFAULT 0,
    CONSTRAINT feed_pkey PRIMARY KEY (only_one),
    CONSTRAINT feed_only_one CHECK (only_one)
);
COMMENT ON TABLE renewer.feed IS 'whose feed the ledger is; one row';
COMMENT ON COLUMN renewer.feed.only_one IS 'true';
COMMENT ON COLUMN renewer.feed.installation IS 'names the installation, wherever it is moved to: source and ids of events';
COMMENT ON COLUMN renewer.feed.server IS 'the server whose transactions are counted, as pg_control_system() names it';
COMMENT ON COLUMN renewer.feed.raised_by IS
    'what is added to its transaction ids, so that they are above those of the server the ledger was moved from';
COMMENT ON COLUMN renewer.feed.ticks IS 'number of the last tick; 0: none';
INSERT INTO renewer.feed (server) SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s;

CREATE TABLE renewer.tick (
    number    bigint NOT NULL,
    snapshot  pg_snapshot NOT NULL,
    ticked_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    CONSTRAINT tick_pkey PRIMARY KEY (number)
);
COMMENT ON TABLE renewer.tick IS
    'where the ledger is cut into batches: batch n is what snapshot n sees and snapshot n - 1 did not';
COMMENT ON COLUMN renewer.tick.number IS 'from 1 without a gap; old ones are thinned, their batches then are one';
COMMENT ON COLUMN renewer.tick.snapshot IS 'the transactions that had committed';
COMMENT ON COLUMN renewer.tick.ticked_at IS 'when, by the real clock';

CREATE TABLE renewer.timeline (
    number     integer NOT NULL,
    first_tick bigint NOT NULL,
    CONSTRAINT timeline_pkey PRIMARY KEY (number)
);
COMMENT ON TABLE renewer.timeline IS
    'since which tick another server of the installation carries on: what the one before ticked from there on is lost';
COMMENT ON COLUMN renewer.timeline.number IS 'PostgreSQL''s number, higher after each failover and each restore to a point in time';
COMMENT ON COLUMN renewer.timeline.first_tick IS 'the first tick of it';

CREATE TABLE renewer.seal (
    number    bigint NOT NULL,
    snapshot  pg_snapshot NOT NULL,
    raised_by bigint NOT NULL,
    ticked_at timestamptz NOT NULL,
    entries   bigint NOT NULL,
    hash      bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CONSTRAINT seal_pkey PRIMARY KEY (number),
    CONSTRAINT seal_hash_whole CHECK (length(hash) = 32)
);
COMMENT ON TABLE renewer.seal IS 'what each batch of the ledger was, so that a change of it can be told';
COMMENT ON COLUMN renewer.seal.number IS 'the tick that ends the batch; the one before is the seal before';
COMMENT ON COLUMN renewer.seal.snapshot IS 'the tick''s: the transactions that had committed';
COMMENT ON COLUMN renewer.seal.raised_by IS 'the feed''s at that time';
COMMENT ON COLUMN renewer.seal.ticked_at IS 'the tick''s time';
COMMENT ON COLUMN renewer.seal.entries IS 'entries of the batch';
COMMENT ON COLUMN renewer.seal.hash IS 'SHA-256 of the hash before and the batch''s entries';
COMMENT ON COLUMN renewer.seal.sealed_at IS 'when it was sealed, by the real clock';
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
