-- Limit how long the nodes of a cluster that take part in this transaction wait for a lock.
--
-- Parameters: timeout, with its unit; written into the text
SET LOCAL lock_timeout TO %(timeout)s;
