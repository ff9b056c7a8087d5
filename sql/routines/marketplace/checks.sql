-- Refuse what no call may name: RN006, with the way out.

-- A plan that is not on record.
CREATE OR REPLACE FUNCTION renewer.check_plan(plan text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM renewer.plan AS p WHERE p.code = check_plan.plan) THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            'unknown plan %s: load it with renewer plans load', pg_catalog.quote_nullable(check_plan.plan));
    END IF;
END
$$;

-- A zone renewer does not know.
CREATE OR REPLACE FUNCTION renewer.check_timezone(timezone text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM renewer.timezone AS z WHERE z.name = check_timezone.timezone) THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            'unknown time zone %s: use an IANA name such as Europe/Berlin or UTC',
            pg_catalog.quote_nullable(check_timezone.timezone));
    END IF;
END
$$;

-- An amount that is none, or more than any ledger holds.
CREATE OR REPLACE FUNCTION renewer.check_amount(amount integer)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF check_amount.amount IS NULL OR check_amount.amount <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            'amount %s is not positive: give 1 or more', coalesce(check_amount.amount::text, 'null'));
    END IF;
    IF check_amount.amount > 1000000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            'amount %s is more than a ledger of whole Connects holds: give 1000000000 or less', check_amount.amount);
    END IF;
END
$$;

-- A balance, with amount added, that is more than any ledger holds.
CREATE OR REPLACE FUNCTION renewer.check_balance(member_id text, amount integer)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    held bigint;
BEGIN
    SELECT m.balance INTO held FROM renewer.member AS m WHERE m.member_id = check_balance.member_id;
    IF held + check_balance.amount > 2147483647 THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            'member %L has %s Connects and would have %s, more than a ledger holds: let them be spent first',
            check_balance.member_id, held, held + check_balance.amount);
    END IF;
END
$$;

-- A name (what it is of, for the message) that is empty, too long, or would steer a terminal.
CREATE OR REPLACE FUNCTION renewer.check_name(what text, name text, longest integer)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF check_name.name IS NULL OR pg_catalog.length(check_name.name) NOT BETWEEN 1 AND check_name.longest THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            '%s must have 1 to %s characters', check_name.what, check_name.longest);
    END IF;
    IF check_name.name ~ '[\u0001-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]' THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            '%s has control characters: use characters that can be printed', check_name.what);
    END IF;
END
$$;

-- A time that has not come, or none of ours.
CREATE OR REPLACE FUNCTION renewer.check_time(at timestamptz)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF check_time.at IS NULL
        OR check_time.at NOT BETWEEN '1900-01-01 00:00:00+00' AND pg_catalog.clock_timestamp() THEN
        RAISE EXCEPTION USING ERRCODE = 'RN006', MESSAGE = pg_catalog.format(
            'at %s is in the future, or no time of ours: leave it out, or give the time it happened',
            coalesce(check_time.at::text, 'null'));
    END IF;
END
$$;
