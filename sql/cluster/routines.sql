-- Let what is called for one member run on the node that holds them, once the routines are there.
--
-- Repeats: safely
DO $$
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT p.oid::regprocedure AS routine,
               CASE p.proname WHEN 'post_batch' THEN 'key' ELSE 'member_id' END AS argument
        FROM pg_catalog.pg_proc AS p
        WHERE p.pronamespace = 'renewer'::regnamespace
          AND (p.proname IN ('post_batch', 'balance_at')
               -- The calls of the marketplace, as in roles.sql.
               OR p.prosecdef AND 'reference' = ANY (p.proargnames))
    LOOP
        PERFORM pg_catalog.create_distributed_function(each.routine, each.argument, 'renewer.member');
    END LOOP;
END
$$;

-- Laying a table out gives its owner back, on every node, what the owner gave up.
REVOKE UPDATE, DELETE, TRUNCATE ON renewer.ledger_entry, renewer.seal FROM PUBLIC, CURRENT_USER;
