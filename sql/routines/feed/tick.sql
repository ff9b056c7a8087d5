-- Tick: end a batch of the ledger here, if something was posted since the last tick and that is a second ago.
--
-- Call it by itself, outside a transaction. It commits synchronously, whatever the session is set to: what a reader of
-- this tick sees was on disk before, so that no crash takes it back.
-- Returns:  the tick's number; null when none is needed, or another session makes one just now
-- Errors:   RN006 another isolation than read committed, RN008 the ledger was moved to another server
-- Locks:    the feed's row, to the end of the transaction; never waits for it
-- Index:    ledger_entry_xact_idx; tick_pkey; seal_pkey
CREATE OR REPLACE FUNCTION renewer.tick()
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
DECLARE
    feed  renewer.feed := renewer.find_feed();
    last  renewer.tick;
    added bigint;
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') <> 'read committed' THEN
        -- Its snapshot would be as old as the transaction, older perhaps than the last tick's.
        PERFORM renewer.refuse('RN006', 'tick() needs isolation read committed', 'call it outside a transaction');
    END IF;
    SELECT t.* INTO last FROM renewer.tick AS t WHERE t.number = feed.ticks;
    -- A last tick that is still to come, by a clock that was set back since, holds up nobody.
    IF last.ticked_at BETWEEN pg_catalog.clock_timestamp() - interval '1 second' AND pg_catalog.clock_timestamp()
       OR NOT renewer.is_posted_since(last, feed) THEN
        RETURN NULL;
    END IF;
    PERFORM FROM renewer.feed AS f WHERE f.ticks = feed.ticks FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM pg_catalog.set_config('synchronous_commit', 'on', true);
    -- Whatever was restored or deleted by hand: no number comes twice, and what comes is sealed after what was.
    UPDATE renewer.feed AS f
    SET ticks = 1 + greatest(f.ticks, (SELECT pg_catalog.max(t.number) FROM renewer.tick AS t),
                             (SELECT pg_catalog.max(s.number) FROM renewer.seal AS s))
    RETURNING f.ticks INTO added;
    -- A statement of its own, and so a snapshot that is newer than the lock: ticks never cross.
    INSERT INTO renewer.tick (number, snapshot) VALUES (added, pg_catalog.pg_current_snapshot());
    INSERT INTO renewer.timeline (number, first_tick) VALUES (renewer.read_timeline(), added)
    ON CONFLICT ON CONSTRAINT timeline_pkey DO NOTHING;
    RETURN added;
END
$$;

-- Tell on which of PostgreSQL's timelines this server writes: the name of a file of the log begins with it.
CREATE OR REPLACE FUNCTION renewer.read_timeline()
RETURNS integer
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN ('x' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::integer;
END
$$;

-- Tell whether an entry was committed that the last tick did not see.
CREATE OR REPLACE FUNCTION renewer.is_posted_since(last renewer.tick, feed renewer.feed)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF last.number IS NULL THEN
        RETURN EXISTS (SELECT FROM renewer.ledger_entry);
    END IF;
    RETURN EXISTS (
        SELECT FROM renewer.ledger_entry AS e
        WHERE e.xact >= pg_catalog.pg_snapshot_xmin(last.snapshot)::text::bigint + feed.raised_by
          AND NOT renewer.is_seen(e.xact, last.snapshot, feed.raised_by));
END
$$;

-- Return the feed, when the ledger is on the server whose transactions it counts.
--
-- After a restore ids start anew, below those on record; over the nodes of a cluster nobody counts them.
-- Errors: RN008
CREATE OR REPLACE FUNCTION renewer.find_feed()
RETURNS renewer.feed
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    feed renewer.feed;
BEGIN
    SELECT f.* INTO feed FROM renewer.feed AS f;
    IF feed.server = 0 THEN
        PERFORM renewer.refuse('RN008', 'the ledger is spread over nodes, each of which counts transactions of its own',
            'there is no feed: read what was posted with `renewer export entries --since`');
    END IF;
    IF feed.server IS DISTINCT FROM (SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s) THEN
        PERFORM renewer.refuse('RN008', 'the ledger was moved to another server', 'run `renewer migrate` here first');
    END IF;
    RETURN feed;
END
$$;
