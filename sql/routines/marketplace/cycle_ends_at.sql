-- Tell when the cycle ends in which something is issued now or was since the last boundary: the first boundary after.
--
-- Most often that is the member's next one. While boundaries wait, it may be one after it.
-- Parameters: held, the member; issued_at
CREATE OR REPLACE FUNCTION renewer.cycle_ends_at(held renewer.member, issued_at timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    n  integer := coalesce(held.cycle_n, 0);
    at timestamptz := held.renews_at;
BEGIN
    WHILE at <= cycle_ends_at.issued_at LOOP
        n := n + 1;
        at := renewer.starts_at((held.anchor_on::date + pg_catalog.make_interval(months => n))::date, held.timezone);
    END LOOP;
    RETURN at;
END
$$;
COMMENT ON FUNCTION renewer.cycle_ends_at IS
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
