-- Create the schema that holds everything.
CREATE SCHEMA IF NOT EXISTS renewer;
