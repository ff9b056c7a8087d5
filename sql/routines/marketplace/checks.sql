-- Refuse arguments that no call may have: RN006, with the way out.

-- Refuse a plan that is not on record.
CREATE OR REPLACE FUNCTION renewer.check_plan(plan text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM renewer.plan AS p WHERE p.code = check_plan.plan) THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'unknown plan %s', pg_catalog.quote_nullable(check_plan.plan)),
            'load it with renewer plans load');
    END IF;
END
$$;

-- Refuse a time zone that renewer does not know.
CREATE OR REPLACE FUNCTION renewer.check_timezone(timezone text)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM renewer.timezone AS z WHERE z.name = check_timezone.timezone) THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'unknown time zone %s', pg_catalog.quote_nullable(check_timezone.timezone)),
            'use an IANA name such as Europe/Berlin or UTC');
    END IF;
END
$$;

-- Refuse an amount that is not positive, or more than a ledger holds.
CREATE OR REPLACE FUNCTION renewer.check_amount(amount integer)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF check_amount.amount IS NULL OR check_amount.amount <= 0 THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'amount %s is not positive', coalesce(check_amount.amount::text, 'null')),
            'give 1 or more');
    END IF;
    IF check_amount.amount > 1000000000 THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'amount %s is more than a ledger of whole Connects holds', check_amount.amount),
            'give 1000000000 or less');
    END IF;
END
$$;

-- Refuse an amount that would make the balance more than a ledger holds.
CREATE OR REPLACE FUNCTION renewer.check_balance(member_id text, amount integer)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    held bigint;
BEGIN
    SELECT m.balance INTO held FROM renewer.member AS m WHERE m.member_id = check_balance.member_id;
    IF held + check_balance.amount > 2147483647 THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'member %L has %s Connects and would have %s, more than a ledger holds',
            check_balance.member_id, held, held + check_balance.amount),
            'let them be spent first');
    END IF;
END
$$;

-- Refuse a name that is empty, too long, looks like another, or would steer a terminal.
--
-- Parameters: what, the argument's name, for the message; name; longest, in characters
CREATE OR REPLACE FUNCTION renewer.check_name(what text, name text, longest integer)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF check_name.name IS NULL OR pg_catalog.length(check_name.name) NOT BETWEEN 1 AND check_name.longest THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format('%s is empty or too long', check_name.what),
            pg_catalog.format('it must have 1 to %s characters', check_name.longest));
    END IF;
    IF check_name.name ~ '^ | $' THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            '%s has a blank at its begin or end', check_name.what), 'take it away');
    END IF;
    -- What Unicode calls control, format and separator, the plain blank excepted: an import refuses it, too.
    IF check_name.name ~ ('[\u0001-\u001F\u007F-\u00A0\u00AD\u0600-\u0605\u061C\u06DD\u070F\u0890\u0891\u08E2\u1680\u180E'
        '\u2000-\u200F\u2028-\u202F\u205F-\u206F\u3000\uFEFF\uFFF9-\uFFFB\U000110BD\U000110CD\U00013430-\U0001343F'
        '\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E007F]') THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            '%s has characters that cannot be printed', check_name.what), 'leave them out');
    END IF;
END
$$;

-- Refuse a time in the future, or before 1900.
CREATE OR REPLACE FUNCTION renewer.check_time(at timestamptz)
RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF check_time.at IS NULL
        OR check_time.at NOT BETWEEN '1900-01-01 00:00:00+00' AND pg_catalog.clock_timestamp() THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format(
            'at %s is in the future, or no time of ours', coalesce(check_time.at::text, 'null')),
            'leave it out, or give the time it happened');
    END IF;
END
$$;
