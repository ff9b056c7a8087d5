-- Refuse what no call may name: RN006, with the way out.
CREATE OR REPLACE FUNCTION renewer.check_plan(named text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM renewer.plan AS p WHERE p.code = named) OR named IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'unknown plan %s: load it with renewer plans load',
            coalesce(quote_literal(named), 'null'));
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION renewer.check_timezone(named text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM renewer.timezone AS z WHERE z.name = named) OR named IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'unknown time zone %s: use an IANA name such as Europe/Berlin or UTC',
            coalesce(quote_literal(named), 'null'));
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION renewer.check_amount(given integer)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF given IS NULL OR given <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'amount %s is not positive: give 1 or more',
            coalesce(given::text, 'null'));
    END IF;
    IF given > 1000000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
            'amount %s is more than a ledger of whole Connects holds: give 1000000000 or less', given);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION renewer.refuse_anchor(given date)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = format(
        'anchor_on %s is after at, or no day of our time: give the local day the membership started',
        coalesce(given::text, 'null'));
END
$$;
