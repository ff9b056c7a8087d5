-- Return the local day of an instant: the one place where SQL computes it.
--
-- PostgreSQL takes some names for abbreviations with an offset that never changes; renewer takes all names for zones. A
-- zone that this server does not know counts as the furthest east, so that no day is refused that may have begun.
-- Parameters: at; timezone, an IANA name
CREATE OR REPLACE FUNCTION renewer.local_day(at timestamptz, timezone text)
RETURNS date
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN (local_day.at AT TIME ZONE renewer.zone_of(local_day.timezone))::date;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN ((local_day.at AT TIME ZONE 'UTC') + '14 hours'::interval)::date;
END
$$;

-- Return the name of a zone that PostgreSQL does not mistake for an abbreviation.
CREATE OR REPLACE FUNCTION renewer.zone_of(timezone text)
RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE timezone
    WHEN 'CET' THEN 'Europe/Brussels'
    WHEN 'MET' THEN 'Europe/Brussels'
    WHEN 'EET' THEN 'Europe/Athens'
    WHEN 'WET' THEN 'Europe/Lisbon'
    ELSE timezone END;
