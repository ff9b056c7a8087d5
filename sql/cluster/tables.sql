-- Lay the tables over the nodes of a Citus cluster, with what is in them. Run by `renewer migrate --distributed`.
--
-- A member's rows lie together on one node, by member_id. Every node has its own copy of plans and zones. What the job
-- writes about itself stays on the coordinator: writing a copy of everything needs every node.
-- Repeats:   safely; only what does not lie as it should is touched
-- Locks:     every table it lays out, until it is
-- Needs:     the extension citus, and no routine or view of renewer that is made anew afterwards
DO $$
DECLARE
    each record;
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'renewer'::regnamespace AND c.relkind = 'r'
          AND c.relname NOT IN ('_yoyo_log', '_yoyo_version', 'yoyo_lock')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = c.oid)) THEN
        RETURN;
    END IF;
    PERFORM pg_catalog.set_config('citus.multi_shard_modify_mode', 'sequential', true);

    -- A table that is laid out is another table to what was made with the type of its rows. All of it is made anew by the
    -- same migration, but for what tables are made of.
    FOR each IN
        SELECT c.oid::regclass::text AS name
        FROM pg_catalog.pg_class AS c
        WHERE c.relnamespace = 'renewer'::regnamespace AND c.relkind = 'v'
    LOOP
        EXECUTE pg_catalog.format('DROP VIEW %s', each.name);
    END LOOP;
    FOR each IN
        SELECT p.oid::regprocedure::text AS name
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'renewer'::regnamespace
          AND p.proname NOT IN ('bucket_of', 'due_at', 'check_member', 'check_entry', 'is_cycle_bound')
    LOOP
        EXECUTE pg_catalog.format('DROP ROUTINE %s', each.name);
    END LOOP;

    FOR each IN
        SELECT t.name::regclass AS laid_out, t.how
        FROM (VALUES
            (1, 'renewer._yoyo_migration', 'copied'), (1, 'renewer.plan', 'copied'), (1, 'renewer.timezone', 'copied'),
            (1, 'renewer.entry_kind', 'copied'), (1, 'renewer.entry_reason', 'copied'),
            (2, 'renewer.member', 'spread'), (3, 'renewer.lot', 'beside'), (3, 'renewer.ledger_entry', 'beside'),
            (3, 'renewer.request', 'beside'), (3, 'renewer.failure', 'beside'),
            (4, 'renewer.run', 'kept'), (4, 'renewer.worker', 'kept'), (4, 'renewer.verification', 'kept'),
            (4, 'renewer.census', 'kept'), (4, 'renewer.feed', 'kept'), (4, 'renewer.tick', 'kept'),
            (4, 'renewer.timeline', 'kept'), (4, 'renewer.seal', 'kept')) AS t (place, name, how)
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_dist_partition AS p WHERE p.logicalrelid = t.name::regclass)
        ORDER BY t.place, t.name
    LOOP
        CASE each.how
            WHEN 'copied' THEN
                PERFORM pg_catalog.create_reference_table(each.laid_out);
            WHEN 'kept' THEN
                PERFORM pg_catalog.citus_add_local_table_to_metadata(each.laid_out);
            WHEN 'spread' THEN
                PERFORM pg_catalog.create_distributed_table(
                    each.laid_out, 'member_id', colocate_with := 'none', shard_count := 32);
            WHEN 'beside' THEN
                PERFORM pg_catalog.create_distributed_table(
                    each.laid_out, 'member_id', colocate_with := 'renewer.member');
        END CASE;
    END LOOP;

    -- A table that is kept is made anew, and its numbers would begin anew.
    PERFORM pg_catalog.setval(pg_catalog.pg_get_serial_sequence('renewer.run', 'run_id'), pg_catalog.max(r.run_id))
    FROM renewer.run AS r HAVING pg_catalog.max(r.run_id) IS NOT NULL;
    PERFORM pg_catalog.setval(
        pg_catalog.pg_get_serial_sequence('renewer.verification', 'verification_id'), pg_catalog.max(v.verification_id))
    FROM renewer.verification AS v HAVING pg_catalog.max(v.verification_id) IS NOT NULL;
    PERFORM pg_catalog.setval(
        pg_catalog.pg_get_serial_sequence('renewer.worker', 'worker_id'), pg_catalog.max(w.worker_id))
    FROM renewer.worker AS w HAVING pg_catalog.max(w.worker_id) IS NOT NULL;
END
$$;
