-- Create the table that holds an import's lines until all of them are checked.
--
-- member: names and values of columns of renewer.member; null: the line is bad
-- expires_at: when the balance ends; null: never
CREATE TEMPORARY TABLE import_line (
    line       bigint NOT NULL,
    member_id  text COLLATE "C",
    member     jsonb,
    balance    integer,
    expires_at timestamptz,
    reason     text
) ON COMMIT DROP;
