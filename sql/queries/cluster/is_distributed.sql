-- Tell whether members are spread over the nodes of a cluster; asked only where there is the extension citus.
--
-- Returns: one row, distributed
-- Locks:   none
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_dist_partition AS p
    WHERE p.logicalrelid = pg_catalog.to_regclass('renewer.member')) AS distributed;
