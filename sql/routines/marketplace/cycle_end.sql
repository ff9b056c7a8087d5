-- Return the first boundary after an instant at which Connects were issued: the end of their cycle.
--
-- That is the member's next boundary or, while boundaries wait, one after it. The only calendar in SQL; a random test
-- compares it with Python's. Of a midnight that exists twice it takes the first, PostgreSQL by itself the second.
-- Parameters: cycle_n, renews_at, anchor_on, timezone: the member's, one by one, so that no view depends on the type of a
--             table that it is part of; issued_at
CREATE OR REPLACE FUNCTION renewer.cycle_end(
    cycle_n integer, renews_at timestamptz, anchor_on date, timezone text, issued_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    zone     text := renewer.zone_of(cycle_end.timezone);
    n        integer := coalesce(cycle_end.cycle_n, 0);
    midnight timestamp;
    at       timestamptz := cycle_end.renews_at;
BEGIN
    WHILE at <= cycle_end.issued_at LOOP
        n := n + 1;
        midnight := (cycle_end.anchor_on + pg_catalog.make_interval(months => n))::date::timestamp;
        at := midnight AT TIME ZONE zone;
        IF (at - '1 hour'::interval) AT TIME ZONE zone = midnight THEN
            at := at - '1 hour'::interval;
        END IF;
    END LOOP;
    RETURN at;
END
$$;
