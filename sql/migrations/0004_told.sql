-- What reads the ledger as a feed: the transaction that posted an entry, ticks that cut the ledger into batches, seals.
-- depends: 0003_described


-- 1. Which transaction posted an entry. Entries of before are of none: they were there before the first tick.

ALTER TABLE renewer.ledger_entry ADD COLUMN xact bigint NOT NULL DEFAULT 0;
ALTER TABLE renewer.ledger_entry ALTER COLUMN xact SET DEFAULT pg_catalog.pg_current_xact_id()::text::bigint;
COMMENT ON COLUMN renewer.ledger_entry.xact IS
    'the transaction that posted it, with what feed.raised_by adds; 0: before there was a feed';

-- New entries lie behind the others, so that a summary of each few pages finds those of some transactions.
CREATE INDEX ledger_entry_xact_idx ON renewer.ledger_entry USING brin (xact)
    WITH (pages_per_range = 32, autosummarize = on);


-- 2. The feed

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


-- 3. Where a reader is: between two ticks, and inside the batch between them

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
