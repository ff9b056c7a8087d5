-- Count this server's transactions above all that are on record, when the ledger was moved here from another server.
--
-- Changes the catalogue only. What is on record then is the first batch of a feed that begins anew: readers' cursors are
-- refused with RN008. Seals stay: each knows whose transactions it saw. Over the nodes of a cluster nobody counts them: the
-- server is 0, and there is no feed until the ledger is back on one.
-- Locks:  ledger_entry, to the end of the transaction, but only when it was moved
CREATE OR REPLACE FUNCTION renewer.adopt_server()
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    here  bigint := (SELECT s.system_identifier FROM pg_catalog.pg_control_system() AS s);
    -- What entries are counted with now: a feed's row that was restored by hand may say otherwise.
    added bigint := (
        SELECT coalesce(pg_catalog.substring(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '\+ [(''"]*(\d+)'), '0')::bigint
        FROM pg_catalog.pg_attrdef AS d
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE d.adrelid = 'renewer.ledger_entry'::regclass::oid AND a.attname = 'xact');
    above  bigint;
    sealed bigint;
BEGIN
    IF pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        IF EXISTS (SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = 'renewer.ledger_entry'::regclass) THEN
            here := 0;
        END IF;
    END IF;
    IF EXISTS (SELECT FROM renewer.feed AS f WHERE f.server = here AND f.raised_by = added) THEN
        RETURN;
    END IF;
    -- It is not null already: this locks the table, which LOCK refuses to an owner who gave up the right to change rows.
    ALTER TABLE renewer.ledger_entry ALTER COLUMN xact SET NOT NULL;
    SELECT coalesce(pg_catalog.max(e.xact), 0) INTO above FROM renewer.ledger_entry AS e;
    -- Nothing that comes is of a batch that was sealed.
    above := greatest(above, (SELECT pg_catalog.max(pg_catalog.pg_snapshot_xmax(s.snapshot)::text::bigint + s.raised_by)
                              FROM renewer.seal AS s));
    EXECUTE pg_catalog.format(
        'ALTER TABLE renewer.ledger_entry ALTER COLUMN xact SET DEFAULT '
        '(pg_catalog.pg_current_xact_id()::text::bigint + %s::bigint)', above);
    -- A row that somebody took away is made anew: ticks go on after those that were sealed.
    sealed := greatest((SELECT pg_catalog.max(t.number) FROM renewer.tick AS t),
                       (SELECT pg_catalog.max(s.number) FROM renewer.seal AS s), 0);
    INSERT INTO renewer.feed AS f (server, raised_by, ticks) VALUES (here, above, sealed)
    ON CONFLICT ON CONSTRAINT feed_pkey DO UPDATE SET server = excluded.server, raised_by = excluded.raised_by;
    DELETE FROM renewer.tick;
    DELETE FROM renewer.timeline;
END
$$;
