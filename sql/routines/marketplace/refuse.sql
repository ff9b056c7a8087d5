-- Refuse a call: the message says what is wrong and what to do, and so do DETAIL and HINT, each by itself.
--
-- Parameters: code, the SQLSTATE; wrong; way_out
CREATE OR REPLACE FUNCTION renewer.refuse(code text, wrong text, way_out text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = refuse.code, MESSAGE = pg_catalog.concat(refuse.wrong, ': ', refuse.way_out),
        DETAIL = refuse.wrong, HINT = refuse.way_out;
END
$$;
