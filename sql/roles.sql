-- Renewer's roles, none of which may log in: grant them to the users that do.
--
-- renewer_worker runs the job, renewer_app is the marketplace's application, renewer_read reads. None of them may
-- change or delete an entry. Run by `renewer migrate --roles`, and by every `renewer migrate` once they exist.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['renewer_worker', 'renewer_app', 'renewer_read'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- made by another session a moment ago
END
$$;

REVOKE ALL ON ALL TABLES IN SCHEMA renewer FROM PUBLIC, renewer_worker, renewer_app, renewer_read;
REVOKE ALL ON ALL ROUTINES IN SCHEMA renewer FROM PUBLIC, renewer_worker, renewer_app, renewer_read;

GRANT USAGE ON SCHEMA renewer TO renewer_worker, renewer_app, renewer_read;
GRANT SELECT ON ALL TABLES IN SCHEMA renewer TO renewer_worker, renewer_read;
-- Since when members who failed would be due: a calculation, it reads nothing.
GRANT EXECUTE ON FUNCTION renewer.due_at TO renewer_read;

GRANT INSERT ON renewer.ledger_entry TO renewer_worker;
GRANT INSERT, UPDATE ON renewer.member, renewer.lot, renewer.run TO renewer_worker;
GRANT INSERT, UPDATE, DELETE ON renewer.failure TO renewer_worker;
GRANT UPDATE ON renewer.request TO renewer_worker;
GRANT DELETE ON renewer.run TO renewer_worker;
GRANT INSERT, DELETE ON renewer.census TO renewer_worker;
GRANT INSERT, UPDATE, DELETE ON renewer.verification, renewer.worker TO renewer_worker;
GRANT EXECUTE ON FUNCTION renewer.post_member, renewer.record_failure, renewer.refuse_lost_rows TO renewer_worker;
-- What tables are made of runs with the rights of who writes them.
GRANT EXECUTE ON FUNCTION renewer.bucket_of, renewer.due_at, renewer.check_member, renewer.check_entry TO renewer_worker;
GRANT EXECUTE ON PROCEDURE renewer.post_batch TO renewer_worker;
GRANT DELETE ON renewer.tick TO renewer_worker;
GRANT INSERT ON renewer.seal TO renewer_worker;
GRANT EXECUTE ON FUNCTION renewer.is_seen TO renewer_worker, renewer_read;

-- The calls of the marketplace: every function that takes a reference and runs with its owner's rights.
DO $$
DECLARE
    call regprocedure;
BEGIN
    FOR call IN
        SELECT p.oid FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'renewer'::regnamespace AND p.prosecdef AND 'reference' = ANY (p.proargnames)
    LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO renewer_app', call);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION renewer.balance_at TO renewer_app, renewer_read;
GRANT EXECUTE ON FUNCTION renewer.tick TO renewer_app, renewer_worker;
GRANT EXECUTE ON FUNCTION renewer.events TO renewer_app, renewer_worker, renewer_read;
GRANT SELECT ON renewer.balance, renewer.open_lot, renewer.statement TO renewer_app;
-- A view runs its functions with the rights of who reads it.
GRANT EXECUTE ON FUNCTION renewer.cycle_end, renewer.zone_of, renewer.is_cycle_bound TO renewer_app, renewer_read;
