-- Return the place behind which there is a batch to read: up to the next tick, or without a target when there is none.
--
-- A large batch, such as an import of millions, is read by the key of the ledger like the first one: sorted for every
-- page anew it would take longer than a page may. Which way is for the whole batch, and so part of the place.
CREATE OR REPLACE FUNCTION renewer.next_batch(place renewer.place, feed renewer.feed)
RETURNS renewer.place
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    large CONSTANT bigint := 100000;
BEGIN
    -- Of the first batch the newest tick: the whole ledger is read in one order, and then tick after tick.
    SELECT t.number, t.snapshot INTO place.target_number, place.target
    FROM renewer.tick AS t
    WHERE t.number > coalesce(place.base_number, 0)
    ORDER BY CASE WHEN place.base IS NULL THEN -t.number ELSE t.number END
    LIMIT 1;
    IF place.target IS NULL THEN
        RETURN place;
    END IF;
    place.timeline := (
        SELECT pg_catalog.max(l.number) FROM renewer.timeline AS l WHERE l.first_tick <= place.target_number);
    place.by_key := place.base IS NULL OR large < (
        SELECT pg_catalog.count(*) FROM (SELECT FROM renewer.find_batch(place, feed) LIMIT large + 1) AS b);
    RETURN place;
END
$$;

-- Return the place behind the whole batch of a place.
CREATE OR REPLACE FUNCTION renewer.behind_batch(place renewer.place)
RETURNS renewer.place
LANGUAGE plpgsql IMMUTABLE
AS $$
DECLARE
    behind renewer.place;
BEGIN
    behind.base_number := place.target_number;
    behind.base := place.target;
    RETURN behind;
END
$$;

-- Write a place as a cursor: opaque to who keeps it, and all that is needed to go on, whichever ticks there are by then.
CREATE OR REPLACE FUNCTION renewer.write_place(place renewer.place, feed renewer.feed)
RETURNS text
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    RETURN pg_catalog.translate(
        pg_catalog.encode(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
            feed.server::text, feed.raised_by::text, place.base_number, place.base::text, place.target_number,
            place.target::text, place.timeline, place.by_key, place.member_id, place.seq)::text, 'UTF8'), 'base64'),
        E'+/=\n', '-_');
END
$$;

-- Read a cursor; null is the start of the ledger.
--
-- Errors: RN008 it is no cursor, or of another server, or of what this server lost when it took another's place
CREATE OR REPLACE FUNCTION renewer.read_place(cursor text, feed renewer.feed)
RETURNS renewer.place
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    read  jsonb;
    place renewer.place;
BEGIN
    IF read_place.cursor IS NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        read := pg_catalog.convert_from(pg_catalog.decode(
            pg_catalog.rpad(pg_catalog.translate(read_place.cursor, '-_', '+/'),
                            (pg_catalog.length(read_place.cursor) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb;
        place := ((read ->> 2)::bigint, (read ->> 3)::pg_snapshot, (read ->> 4)::bigint, (read ->> 5)::pg_snapshot,
                  (read ->> 6)::integer, (read ->> 7)::boolean, read ->> 8, (read ->> 9)::bigint)::renewer.place;
    -- One that nests too deep for the server is program_limit_exceeded.
    EXCEPTION WHEN data_exception OR syntax_error_or_access_rule_violation OR program_limit_exceeded THEN
        read := NULL;
    END;
    IF read IS NULL OR place.target IS NULL THEN
        PERFORM renewer.refuse_cursor('the cursor is none of renewer''s');
    ELSIF read ->> 0 <> feed.server::text OR read ->> 1 <> feed.raised_by::text THEN
        PERFORM renewer.refuse_cursor('the cursor is of another server, from which the ledger was moved');
    ELSIF place.target_number > feed.ticks AND pg_catalog.pg_is_in_recovery() THEN
        -- A standby that lags behind the server that told of it: behind that tick there is nothing here yet.
        RETURN renewer.behind_batch(place);
    ELSIF place.target_number > feed.ticks OR renewer.is_lost(place.target_number, place.target)
       OR renewer.is_lost(place.base_number, place.base)
       OR EXISTS (SELECT FROM renewer.timeline AS l
                  WHERE l.number > place.timeline AND l.first_tick <= place.target_number) THEN
        PERFORM renewer.refuse_cursor('the cursor is ahead of this server, which lost what it saw');
    END IF;
    RETURN place;
END
$$;

-- Tell whether this server never made a tick, or made another of its number.
CREATE OR REPLACE FUNCTION renewer.is_lost(number bigint, snapshot pg_snapshot)
RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN pg_catalog.pg_snapshot_xmax(is_lost.snapshot) > pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
        OR EXISTS (SELECT FROM renewer.tick AS t
                   WHERE t.number = is_lost.number AND t.snapshot::text <> is_lost.snapshot::text);
END
$$;

-- Refuse a cursor, and say how to go on.
CREATE OR REPLACE FUNCTION renewer.refuse_cursor(wrong text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM renewer.refuse('RN008', wrong,
        'read from the start, and of each member leave out what you have: events up to the last_seq you know');
END
$$;
