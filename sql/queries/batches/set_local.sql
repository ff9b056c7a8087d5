-- Set a configuration parameter for this transaction only.
--
-- Parameters: name, value
SELECT set_config(%(name)s::text, %(value)s::text, true);
