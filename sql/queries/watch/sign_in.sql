-- Record that a worker is there.
--
-- Parameters: host, process integer, version, monitor, hearing boolean, started_at timestamptz
-- Returns:    worker_id
INSERT INTO renewer.worker (host, process, version, monitor, hearing, started_at, seen_at)
VALUES (%(host)s::text, %(process)s::integer, %(version)s::text, %(monitor)s::text, %(hearing)s::boolean,
        %(started_at)s::timestamptz, pg_catalog.now())
RETURNING worker_id;
