-- What tells whether the job is well: runs that say whom they were for, a census, verifications, the workers there are.
-- depends: 0001_schema


-- 1. Runs

ALTER TABLE renewer.run
    DROP CONSTRAINT run_trigger_known,
    ADD CONSTRAINT run_trigger_known CHECK (trigger IN ('schedule', 'manual', 'backfill', 'announced')),
    ADD COLUMN named boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN renewer.run.trigger IS
    'what started it: schedule, manual, backfill, or announced: all members a worker heard of in an hour';
COMMENT ON COLUMN renewer.run.as_of IS 'the time it acted at; of an announced one, at first';
COMMENT ON COLUMN renewer.run.named IS 'for members who were named, not for everybody';

-- The last success is the newest entry.
CREATE INDEX run_success_idx ON renewer.run (finished_at)
    WHERE finished_at IS NOT NULL AND NOT stopped AND NOT named AND trigger IN ('schedule', 'manual');


-- 2. Who failed is found without looking at the others.

CREATE INDEX member_failing_idx ON renewer.member (renews_at, member_id) WHERE retry_at IS NOT NULL OR parked;


-- 3. What is looked at instead of the members

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
