-- Tell when the cycle ends in which something is issued now or was since the last boundary: the first boundary after.
--
-- Most often that is the member's next one. While boundaries wait, it may be one after it.
-- Parameters: cycle_n, renews_at, anchor_on, timezone: the member's, one by one, so that no view depends on the type of a
--             table that it is part of; issued_at
CREATE OR REPLACE FUNCTION renewer.cycle_end(
    cycle_n integer, renews_at timestamptz, anchor_on date, timezone text, issued_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    n  integer := coalesce(cycle_end.cycle_n, 0);
    at timestamptz := cycle_end.renews_at;
BEGIN
    WHILE at <= cycle_end.issued_at LOOP
        n := n + 1;
        at := renewer.starts_at(
            (cycle_end.anchor_on + pg_catalog.make_interval(months => n))::date, cycle_end.timezone);
    END LOOP;
    RETURN at;
END
$$;
COMMENT ON FUNCTION renewer.cycle_end IS
    'when the cycle ends in which something was issued: the first boundary after';

-- Tell the first instant of a day in a zone; of a midnight that exists twice, the first of the two.
CREATE OR REPLACE FUNCTION renewer.starts_at(day date, timezone text)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    zone text := renewer.zone_of(starts_at.timezone);
    at   timestamptz := starts_at.day::timestamp AT TIME ZONE zone;
BEGIN
    -- PostgreSQL takes the second.
    IF (at - '1 hour'::interval) AT TIME ZONE zone = starts_at.day::timestamp THEN
        RETURN at - '1 hour'::interval;
    END IF;
    RETURN at;
END
$$;
COMMENT ON FUNCTION renewer.starts_at IS 'the first instant of a local day';
