-- Create the table that holds an import's lines until all of them are checked.
CREATE TEMPORARY TABLE import_line (
    line              bigint NOT NULL,
    member_id         text COLLATE "C",
    plan              text,
    anchor_on         date,
    timezone          text,
    status            text,
    balance           integer,
    cycle_n           integer,
    cycle_first_day   date,
    cycle_last_day    date,
    first_boundary_on date,
    renews_at         timestamptz,
    expires_at        timestamptz,
    reason            text
) ON COMMIT DROP;
