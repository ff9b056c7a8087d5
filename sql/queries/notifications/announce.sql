-- Announce something as due.
--
-- Parameters: payload, a member
SELECT pg_catalog.pg_notify('renewer_due', %(payload)s::text);
