"""`verify` says whatever of the schema is not as this release defines it."""

import pytest
from psycopg.conninfo import make_conninfo

from renewer.store import migrations
from renewer.store.catalog import read_description
from renewer.store.connection import Database
from tests.description import FILE, describe
from tests.faults.scene import CANARY
from tests.support import command, documents, violations

pytestmark = pytest.mark.one_server("it changes the schema that its tests share")


@pytest.fixture
def guarded(database: str, conn: Database) -> Database:
    """A connection to a database with renewer's roles."""
    migrations.migrate(database, roles=True)
    return conn


def drift(conn: Database) -> list[str]:
    """Return what `verify` says of the schema; nothing else may be broken."""
    found = violations(conn)
    assert {(each.invariant, each.member_id) for each in found} <= {(6, None)}
    return [each.detail for each in found]


def test_the_description_is_of_what_the_files_make(guarded: Database) -> None:
    """On every version of PostgreSQL; `python -m tests.description` writes it anew."""
    assert describe(guarded).decode() == FILE.read_text()


def test_every_routine_has_a_file_with_its_body(guarded: Database) -> None:
    """So none of them goes unlooked at."""
    unwritten = [name for name, body in read_description().bodies.items() if not body]
    assert unwritten == ["bucket_of(text)", "is_cycle_bound(text)", "zone_of(text)"]


def test_a_schema_of_this_release_has_no_drift(database: str, conn: Database) -> None:
    """Neither before there are roles nor after, nor when it is migrated again."""
    assert drift(conn) == []
    migrations.migrate(database, roles=True)
    assert drift(conn) == []
    migrations.migrate(database)
    assert drift(conn) == []


MIGRATE = "run `renewer migrate`"
RIGHT = "`renewer migrate --roles`, or GRANT and REVOKE, put it right"
DRIFT = [
    (
        "ALTER TABLE renewer.run ALTER COLUMN stopped SET DEFAULT true",
        'column run.stopped is "boolean NOT NULL DEFAULT true": '
        'make it "boolean NOT NULL DEFAULT false" again',
    ),
    (
        "ALTER TABLE renewer.run ALTER COLUMN due TYPE integer",
        'column run.due is "integer NOT NULL DEFAULT 0": '
        'make it "bigint NOT NULL DEFAULT 0" again',
    ),
    (
        "ALTER TABLE renewer.run ALTER COLUMN as_of DROP NOT NULL",
        'column run.as_of is "timestamp with time zone": '
        'make it "timestamp with time zone NOT NULL" again',
    ),
    (
        "ALTER TABLE renewer.run ADD COLUMN more text",
        "column run.more is not renewer's: drop it",
    ),
    (
        "ALTER TABLE renewer.run DROP COLUMN reason",
        'column run.reason is missing: restore it as "text"',
    ),
    (
        "ALTER TYPE renewer.planned_lot ADD ATTRIBUTE more text",
        "column planned_lot.more is not renewer's: drop it",
    ),
    (
        "ALTER TABLE renewer.failure DROP CONSTRAINT failure_attempts_from_one",
        "constraint failure.failure_attempts_from_one is missing: "
        'restore it as "CHECK ((attempts >= 1))"',
    ),
    (
        "ALTER TABLE renewer.failure DROP CONSTRAINT failure_attempts_from_one, "
        "ADD CONSTRAINT failure_attempts_from_one CHECK (attempts >= 1) NOT VALID",
        'constraint failure.failure_attempts_from_one is "CHECK ((attempts >= 1)) '
        'NOT VALID": make it "CHECK ((attempts >= 1))" again',
    ),
    (
        "ALTER DOMAIN renewer.connects ADD CONSTRAINT few CHECK (VALUE < 9)",
        "constraint connects.few is not renewer's: drop it",
    ),
    (
        "ALTER DOMAIN renewer.connects SET DEFAULT 1",
        'domain connects is "integer DEFAULT 1": make it "integer" again',
    ),
    (
        "CREATE TYPE renewer.mood AS ENUM ('sad')",
        "domain mood is not renewer's: drop it",
    ),
    (
        "DROP INDEX renewer.lot_open_idx",
        'index lot_open_idx is missing: restore it as "CREATE INDEX lot_open_idx '
        "ON renewer.lot USING btree (member_id, number) "
        'WHERE ((remaining)::integer > 0)"',
    ),
    (
        "CREATE UNIQUE INDEX one_plan ON renewer.member (plan)",
        "index one_plan is not renewer's: drop it",
    ),
    (
        "CREATE RULE none AS ON INSERT TO renewer.lot DO INSTEAD NOTHING",
        "trigger lot.none is not renewer's: drop it",
    ),
    (
        "CREATE POLICY none ON renewer.lot USING (false)",
        "trigger lot.none is not renewer's: drop it",
    ),
    (
        "ALTER TABLE renewer.lot ENABLE ROW LEVEL SECURITY",
        'relation lot is "table, row security on": make it "table" again',
    ),
    (
        "ALTER TABLE renewer.failure SET UNLOGGED",
        'relation failure is "table, unlogged": make it "table" again',
    ),
    (
        "CREATE TABLE public.more () INHERITS (renewer.ledger_entry)",
        'relation ledger_entry is "table, inherited by public.more": '
        'make it "table" again',
    ),
    (
        "CREATE TABLE public.more (); ALTER TABLE renewer.ledger_entry "
        "INHERIT public.more",
        'relation ledger_entry is "table, inherits from public.more": '
        'make it "table" again',
    ),
    (
        "CREATE TABLE renewer.more (x integer)",
        [
            "column more.x is not renewer's: drop it",
            "relation more is not renewer's: drop it",
        ],
    ),
    ("DROP VIEW renewer.statement", f"view statement is missing: {MIGRATE}"),
    (
        "ALTER VIEW renewer.statement SET (security_invoker = true)",
        f"view statement is not this release's: {MIGRATE}",
    ),
    (
        "ALTER FUNCTION renewer.spend SECURITY INVOKER",
        "routine spend(text, integer, text, timestamp with time zone) "
        f"is not this release's: {MIGRATE}",
    ),
    (
        "DROP PROCEDURE renewer.post_batch",
        f"routine post_batch(text, jsonb, bigint, jsonb) is missing: {MIGRATE}",
    ),
    (
        "CREATE OR REPLACE FUNCTION renewer.check_amount(amount integer) "
        "RETURNS void LANGUAGE plpgsql AS 'BEGIN END'",
        f"routine check_amount(integer) has another text than its file: {MIGRATE}",
    ),
    (
        "CREATE FUNCTION renewer.due_at() RETURNS integer LANGUAGE sql RETURN 1; "
        "REVOKE ALL ON FUNCTION renewer.due_at() FROM PUBLIC",
        "routine due_at() is not renewer's: drop it",
    ),
    (
        "GRANT UPDATE, SELECT ON renewer.ledger_entry TO PUBLIC",
        "PUBLIC may SELECT, UPDATE on ledger_entry: REVOKE it",
    ),
    (
        "GRANT EXECUTE ON FUNCTION renewer.check_amount TO PUBLIC",
        "PUBLIC may EXECUTE on check_amount(integer): REVOKE it",
    ),
    (
        "GRANT UPDATE (due) ON renewer.run TO PUBLIC",
        "PUBLIC may UPDATE on column run.due: REVOKE it",
    ),
    (
        "GRANT CREATE ON SCHEMA renewer TO pg_monitor",
        "pg_monitor may CREATE on schema renewer: REVOKE it",
    ),
    (
        "GRANT DELETE ON renewer.ledger_entry TO renewer_worker",
        "renewer_worker may DELETE, INSERT, SELECT on ledger_entry, "
        f"not INSERT, SELECT: {RIGHT}",
    ),
    (
        "GRANT SELECT (amount) ON renewer.ledger_entry TO renewer_app",
        f"renewer_app may SELECT on column ledger_entry.amount, not nothing: {RIGHT}",
    ),
    (
        "ALTER TABLE renewer.ledger_entry OWNER TO renewer_app",
        'role renewer_app is "a role, owner of ledger_entry": make it "a role" again',
    ),
    (
        "ALTER FUNCTION renewer.purchase OWNER TO renewer_read",
        'role renewer_read is "a role, owner of purchase(text, integer, text, '
        'timestamp with time zone, timestamp with time zone)": make it "a role" again',
    ),
    (
        "REVOKE INSERT ON renewer.lot FROM renewer_worker",
        "renewer_worker may SELECT, UPDATE on lot, "
        f"not INSERT, SELECT, UPDATE: {RIGHT}",
    ),
    (
        "REVOKE EXECUTE ON FUNCTION renewer.due_at FROM renewer_worker",
        "renewer_worker may nothing on due_at(text, timestamp with time zone, "
        "timestamp with time zone, timestamp with time zone, "
        f"timestamp with time zone, boolean), not EXECUTE: {RIGHT}",
    ),
    (
        "GRANT UPDATE ON renewer.ledger_entry TO CURRENT_USER",
        "owner may INSERT, REFERENCES, SELECT, TRIGGER, UPDATE on ledger_entry, "
        f"not INSERT, REFERENCES, SELECT, TRIGGER: {RIGHT}",
    ),
]


@pytest.mark.parametrize(("change", "told"), DRIFT, ids=[each[0] for each in DRIFT])
def test_a_drift_is_told_with_its_way_out(
    guarded: Database, change: str, told: str | list[str]
) -> None:
    """Each in one sentence of its own."""
    guarded.execute(change)
    assert drift(guarded) == ([told] if isinstance(told, str) else told)


def test_a_column_whose_rows_may_be_null_is_told(guarded: Database) -> None:
    """PostgreSQL 18 takes a NOT NULL that holds for new rows only."""
    if guarded.info.server_version < 180000:
        pytest.skip("before PostgreSQL 18 a NOT NULL holds for all rows")
    guarded.execute("ALTER TABLE renewer.run ALTER COLUMN as_of DROP NOT NULL")
    assert drift(guarded) == [
        'column run.as_of is "timestamp with time zone": '
        'make it "timestamp with time zone NOT NULL" again'
    ]
    guarded.execute("ALTER TABLE renewer.run ADD NOT NULL as_of NOT VALID")
    assert drift(guarded) == [
        'column run.as_of is "timestamp with time zone NOT NULL NOT VALID": '
        'make it "timestamp with time zone NOT NULL" again'
    ]
    guarded.execute("ALTER TABLE renewer.run VALIDATE CONSTRAINT run_as_of_not_null")
    assert drift(guarded) == []


def test_a_login_may_have_what_a_role_has(guarded: Database) -> None:
    """A grant to it directly is as good as its membership; reading hurts nobody."""
    guarded.execute("GRANT SELECT ON renewer.lot TO pg_monitor")
    guarded.execute("GRANT EXECUTE ON FUNCTION renewer.spend TO pg_monitor")
    assert drift(guarded) == []


def test_a_reader_is_told_through_the_command_line(
    database: str, guarded: Database
) -> None:
    """`renewer_read` needs no more; the exit code is 1, the JSON names no member."""
    name = f"renewer_reader_{guarded.info.backend_pid}"
    guarded.execute(
        f"CREATE ROLE {name} LOGIN PASSWORD '{CANARY}' IN ROLE renewer_read"
    )
    try:
        reader = make_conninfo(database, user=name, password=CANARY)
        assert documents(reader, "verify")["ok"] is True
        guarded.execute("DROP INDEX renewer.member_due_idx")
        found = documents(reader, "verify")
        shown = command(reader, "verify")
    finally:
        guarded.execute(f"DROP ROLE {name}")
    (violation,) = found["violations"]
    assert (violation["invariant"], violation["member_id"]) == (6, None)
    assert violation["detail"].startswith("index member_due_idx is missing: restore it")
    assert shown.returncode == 1
    assert (
        "broken  6 the schema is the one of this release: 1 violation" in shown.stdout
    )
