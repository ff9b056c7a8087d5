-- Tell whether a snapshot saw what a transaction posted. One of before the feed, or of a server before, it did.
CREATE OR REPLACE FUNCTION renewer.is_seen(xact bigint, snapshot pg_snapshot, raised_by bigint)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT pg_catalog.pg_visible_in_snapshot(greatest(xact - raised_by, 0)::text::xid8, snapshot)
$$;

-- Find the entries of a batch that is not the first: what its target saw and its base did not.
--
-- Index: ledger_entry_xact_idx
CREATE OR REPLACE FUNCTION renewer.find_batch(place renewer.place, feed renewer.feed)
RETURNS SETOF renewer.ledger_entry
LANGUAGE sql STABLE
AS $$
    SELECT e.*
    FROM renewer.ledger_entry AS e
    WHERE e.xact >= pg_catalog.pg_snapshot_xmin(place.base)::text::bigint + feed.raised_by
      AND e.xact < pg_catalog.pg_snapshot_xmax(place.target)::text::bigint + feed.raised_by
      AND renewer.is_seen(e.xact, place.target, feed.raised_by)
      AND NOT renewer.is_seen(e.xact, place.base, feed.raised_by)
$$;

-- Read the next entries of a batch, by member and seq.
--
-- Index: by key ledger_entry_pkey, otherwise ledger_entry_xact_idx
CREATE OR REPLACE FUNCTION renewer.batch_entries(place renewer.place, feed renewer.feed, wanted integer)
RETURNS SETOF renewer.ledger_entry
LANGUAGE plpgsql STABLE ROWS 1000
AS $$
BEGIN
    IF place.by_key THEN
        RETURN QUERY
        SELECT e.*
        FROM renewer.ledger_entry AS e
        WHERE (e.member_id, e.seq) > (coalesce(place.member_id, ''), coalesce(place.seq, 0))
          AND renewer.is_seen(e.xact, place.target, feed.raised_by)
          AND (place.base IS NULL OR NOT renewer.is_seen(e.xact, place.base, feed.raised_by))
        ORDER BY e.member_id, e.seq
        LIMIT wanted;
        RETURN;
    END IF;
    -- Materialized: an order with a limit would lure the planner to walk all of the ledger by its key.
    RETURN QUERY
    WITH batch AS MATERIALIZED (
        SELECT b.*
        FROM renewer.find_batch(place, feed) AS b
        WHERE (b.member_id, b.seq) > (coalesce(place.member_id, ''), coalesce(place.seq, 0))
    )
    SELECT b.*
    FROM batch AS b
    ORDER BY b.member_id, b.seq
    LIMIT wanted;
END
$$;
