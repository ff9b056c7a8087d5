-- Make renewer's schema the first of this transaction, so that the migration tool's tables land in it.
SELECT pg_catalog.set_config('search_path', 'renewer, pg_catalog', true);
