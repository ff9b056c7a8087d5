-- Find the functions and procedures.
--
-- Parameters: none; search_path has to be pg_catalog, so that every name is told in full
-- Returns:    name with argument types; definition: all but the body when that is kept as text; body: that text
-- Locks:      none
SELECT p.proname || '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')' AS name, p.prosrc AS body,
       pg_catalog.concat_ws(
           ' ', CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'f' THEN 'function' ELSE 'kind ' || p.prokind::text END,
           '(' || pg_catalog.pg_get_function_arguments(p.oid) || ')',
           'RETURNS ' || pg_catalog.pg_get_function_result(p.oid),
           l.lanname, 'volatility ' || p.provolatile::text, 'parallel ' || p.proparallel::text,
           CASE WHEN p.proisstrict THEN 'STRICT' END,
           CASE WHEN p.proleakproof THEN 'LEAKPROOF' END,
           CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END,
           'SET ' || pg_catalog.array_to_string(p.proconfig, ' SET '),
           pg_catalog.pg_get_function_sqlbody(p.oid)) AS definition
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE p.pronamespace = 'renewer'::regnamespace;
