-- Runs in the order they began: the nodes of a cluster give numbers that are far apart.
-- depends: 0004_told

CREATE INDEX run_started_idx ON renewer.run (started_at, run_id);
