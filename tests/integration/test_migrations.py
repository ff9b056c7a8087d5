"""The schema: created, upgraded, guarded."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from renewer.errors import SchemaError
from renewer.store import migrations, schema
from renewer.store.connection import Database, connect
from renewer.store.queries import sql_folder
from tests.faults.scene import until, waiting
from tests.support import MIGRATIONS, command

pytestmark = pytest.mark.one_server("it changes the schema that its tests share")


def test_migrating_twice_does_nothing_the_second_time(empty_database: str) -> None:
    """
    The first run applies what is missing, the second nothing.

    Routines are there after both.
    """
    assert migrations.migrate(empty_database) == MIGRATIONS
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("DROP PROCEDURE renewer.post_batch")
    assert migrations.migrate(empty_database) == []
    with connect(empty_database) as conn:
        assert conn.execute(
            "SELECT 1 FROM pg_proc WHERE proname = 'post_batch'"
        ).fetchone()


def test_a_view_that_is_read_does_not_hold_back_the_routines(database: str) -> None:
    """They are in force while the views wait for a reader to end."""
    found = "SELECT 1 AS one FROM pg_proc WHERE proname = 'post_batch'"
    with (
        ThreadPoolExecutor(1) as pool,
        connect(database) as conn,
        psycopg.connect(database) as reader,
    ):
        conn.execute("DROP PROCEDURE renewer.post_batch")
        reader.execute("SELECT count(*) FROM renewer.award")
        migrating = pool.submit(migrations.migrate, database)
        try:
            until(lambda: waiting(conn))
            assert conn.execute(found).fetchone()
        finally:
            reader.rollback()
        assert migrating.result() == []


def test_members_are_not_spread_without_the_extension(empty_database: str) -> None:
    """One line says what is missing, and nothing is made."""
    done = command(empty_database, "migrate", "--distributed")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"renewer: .* extension citus, .*citus\.md\n", done.stderr)
    with psycopg.connect(empty_database) as conn:
        row = conn.execute("SELECT to_regnamespace('renewer')").fetchone()
    assert row == (None,)


def test_two_migrations_at_once_are_one(empty_database: str) -> None:
    """One applies, the other waits and finds nothing left to do."""
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrations.migrate, [empty_database] * 4))
    assert sorted(applied) == [[], [], [], MIGRATIONS]


def test_a_lock_row_left_by_a_killed_migration_is_removed(database: str) -> None:
    """Nobody has to break it by hand."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO renewer.yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)"
        )
    assert migrations.migrate(database) == []


def test_everything_lives_in_one_schema(conn: Database) -> None:
    """
    Neither tables nor routines, the migration tool's own included, are anywhere else.
    """
    rows = conn.execute(
        """
        SELECT n.nspname
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        UNION
        SELECT n.nspname
        FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
        """
    )
    assert [row["nspname"] for row in rows] == ["renewer"]


def test_a_database_without_a_schema_says_what_to_do(empty_database: str) -> None:
    """It is an error an operator can act on."""
    with (
        connect(empty_database) as conn,
        pytest.raises(SchemaError, match="run `renewer migrate`"),
    ):
        schema.check_schema(conn)


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The files of a release with one migration more; return its name."""
    shutil.copytree(sql_folder(), tmp_path / "sql", dirs_exist_ok=True)
    migration = tmp_path / "sql" / "migrations" / "0002_next.sql"
    migration.write_text(
        "-- depends: 0001_schema\nALTER TABLE renewer.run ADD COLUMN next text;\n"
    )
    for module in (migrations, schema):
        monkeypatch.setattr(module, "sql_folder", lambda: tmp_path / "sql")
    return migration.stem


def test_a_schema_that_is_too_old_is_refused_until_it_is_upgraded(
    database: str, conn: Database, next_release: str
) -> None:
    """
    The error names the migration that is missing, and `migrate` applies that one alone.
    """
    with pytest.raises(
        SchemaError,
        match=r"older than this renewer \(0002_next is missing\): "
        r"run `renewer migrate`",
    ):
        schema.check_schema(conn)
    assert migrations.migrate(database) == [next_release]
    schema.check_schema(conn)


def test_a_schema_of_a_checkout_before_the_first_release_is_refused(
    empty_database: str,
) -> None:
    """In one line, and nothing of it is changed."""
    with connect(empty_database) as conn:
        conn.execute("CREATE SCHEMA renewer")
        conn.execute(
            "CREATE TABLE renewer._yoyo_migration "
            "(migration_hash text, migration_id text)"
        )
        conn.execute("INSERT INTO renewer._yoyo_migration VALUES ('x', '0001_ledger')")
        with pytest.raises(SchemaError, match="0001_ledger is unknown to it"):
            schema.check_schema(conn)
        with pytest.raises(SchemaError, match="0001_ledger is unknown to it"):
            migrations.migrate(empty_database)
        assert conn.execute(
            "SELECT to_regclass('renewer.member') AS found"
        ).fetchone() == {"found": None}


def test_a_schema_made_from_an_older_text_is_refused(
    database: str, conn: Database
) -> None:
    """Until the first release the file is edited in place, under one name."""
    conn.execute("UPDATE renewer._yoyo_migration SET migration_hash = 'older'")
    refused = "before its first release .0001_schema differs.: nothing was done"
    with pytest.raises(SchemaError, match=refused):
        schema.check_schema(conn)
    with pytest.raises(SchemaError, match=refused):
        migrations.migrate(database)
    done = command(database, "run")
    assert done.returncode == 2
    assert re.fullmatch(f"renewer: .*{refused}.*\n", done.stderr)


def test_a_schema_that_is_too_new_is_refused(database: str, conn: Database) -> None:
    """Neither a pass nor a migration touches it."""
    conn.execute(
        "INSERT INTO renewer._yoyo_migration (migration_hash, migration_id) "
        "VALUES ('x', '9999_future')"
    )
    with pytest.raises(SchemaError, match="9999_future"):
        schema.check_schema(conn)
    with pytest.raises(SchemaError, match="upgrade renewer"):
        migrations.migrate(database)


def defined(kind: str, *folders: str) -> list[str]:
    """Return the names the files under *folders* of sql/ give to things of *kind*."""
    names = []
    for folder in folders:
        for path in (sql_folder() / folder).rglob("*.sql"):
            create = rf"^CREATE (?:OR REPLACE )?(?:{kind}) renewer\.(\w+)"
            names += re.findall(create, path.read_text(), re.M)
    return sorted(names)


def test_the_routines_on_record_are_those_of_the_files(conn: Database) -> None:
    """None is missing, none is left over, and none stands there twice."""
    rows = conn.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'renewer'::regnamespace"
    )
    of_files = defined("FUNCTION|PROCEDURE", "routines", "migrations")
    assert len(of_files) > 20
    assert sorted(row["proname"] for row in rows) == of_files


def test_the_views_on_record_are_those_of_the_files(conn: Database) -> None:
    """None is missing and none is left over; a file holds the view of its name."""
    rows = conn.execute("SELECT viewname FROM pg_views WHERE schemaname = 'renewer'")
    files = [path.stem for path in (sql_folder() / "views").glob("*.sql")]
    assert sorted(row["viewname"] for row in rows) == sorted(files)
    assert defined("VIEW", "views") == sorted(files)


CATALOG = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
               a.attnotnull, a.attidentity, a.attgenerated, a.attcollation,
               pg_get_expr(d.adbin, d.adrelid) AS expression,
               col_description(c.oid, a.attnum) AS comment, a.attacl::text
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'renewer'::regnamespace AND a.attnum > 0
          AND NOT a.attisdropped
        ORDER BY c.relname, a.attnum
    """,
    "constraints": """
        SELECT conname, conrelid::regclass::text, contypid::regtype::text,
               pg_get_constraintdef(oid) AS definition
        FROM pg_constraint WHERE connamespace = 'renewer'::regnamespace
        ORDER BY conname, conrelid, contypid
    """,
    "indexes": """
        SELECT pg_get_indexdef(i.indexrelid) AS definition
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE c.relnamespace = 'renewer'::regnamespace
        ORDER BY c.relname
    """,
    "routines": """
        SELECT pg_get_functiondef(oid) AS definition,
               obj_description(oid, 'pg_proc') AS comment
        FROM pg_proc WHERE pronamespace = 'renewer'::regnamespace
        ORDER BY oid::regprocedure::text
    """,
    "views": """
        SELECT relname, pg_get_viewdef(oid) AS definition, reloptions
        FROM pg_class
        WHERE relnamespace = 'renewer'::regnamespace AND relkind = 'v'
        ORDER BY relname
    """,
    "types": """
        SELECT typname, typtype, format_type(typbasetype, typtypmod) AS base,
               typnotnull, typdefault, obj_description(oid, 'pg_type') AS comment
        FROM pg_type WHERE typnamespace = 'renewer'::regnamespace
        ORDER BY typname
    """,
    "relations": """
        SELECT relname, relkind, obj_description(oid, 'pg_class') AS comment
        FROM pg_class WHERE relnamespace = 'renewer'::regnamespace
        ORDER BY relname
    """,
    "privileges": """
        WITH owned AS (
            SELECT oid::regclass::text AS name,
                   coalesce(relacl, acldefault('r', relowner)) AS acl
            FROM pg_class
            WHERE relnamespace = 'renewer'::regnamespace AND relkind IN ('r', 'v')
            UNION ALL
            SELECT oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner))
            FROM pg_proc WHERE pronamespace = 'renewer'::regnamespace
            UNION ALL
            SELECT nspname, coalesce(nspacl, acldefault('n', nspowner))
            FROM pg_namespace WHERE nspname = 'renewer')
        SELECT o.name, a.grantor::regrole::text, a.grantee::regrole::text,
               a.privilege_type, a.is_grantable
        FROM owned AS o, aclexplode(o.acl) AS a
        ORDER BY o.name, a.grantor, a.grantee, a.privilege_type
    """,
}
"""What a schema is, as PostgreSQL tells it: a statement for each kind of thing."""


def read_catalog(conn: Database) -> dict[str, list[dict[str, Any]]]:
    """Return everything of the schema that does not depend on when it was made."""
    return {kind: conn.execute(text).fetchall() for kind, text in CATALOG.items()}


def test_an_upgraded_schema_is_the_one_a_new_database_gets(
    database: str, conn: Database, empty_database: str, next_release: str
) -> None:
    """In two steps or in one, the same files leave the same catalog."""
    assert migrations.migrate(database, roles=True) == [next_release]
    fresh = [*MIGRATIONS, next_release]
    assert migrations.migrate(empty_database, roles=True) == fresh
    with connect(empty_database) as new:
        expected = read_catalog(new)
    assert all(expected.values())
    assert read_catalog(conn) == expected


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("columns", "ALTER TABLE renewer.run ALTER COLUMN stopped SET DEFAULT true"),
        ("columns", "ALTER TABLE renewer.member ALTER COLUMN due_at DROP EXPRESSION"),
        ("columns", "ALTER TABLE renewer.run ALTER COLUMN due TYPE integer"),
        ("columns", "COMMENT ON COLUMN renewer.run.due IS 'other'"),
        ("columns", "GRANT UPDATE (due) ON renewer.run TO PUBLIC"),
        ("constraints", "ALTER TABLE renewer.plan DROP CONSTRAINT plan_code_length"),
        ("constraints", "ALTER DOMAIN renewer.connects ADD CHECK (VALUE < 9)"),
        ("indexes", "DROP INDEX renewer.lot_open_idx"),
        ("routines", "ALTER FUNCTION renewer.spend SECURITY INVOKER"),
        ("routines", "COMMENT ON FUNCTION renewer.spend IS 'other'"),
        ("views", "ALTER VIEW renewer.statement SET (security_invoker = true)"),
        ("types", "ALTER DOMAIN renewer.connects SET DEFAULT 1"),
        ("types", "COMMENT ON TYPE renewer.planned IS 'other'"),
        ("relations", "COMMENT ON TABLE renewer.run IS 'other'"),
        ("privileges", "GRANT INSERT ON renewer.lot TO PUBLIC"),
        ("privileges", "REVOKE EXECUTE ON FUNCTION renewer.due_at FROM CURRENT_USER"),
    ],
)
def test_no_difference_of_two_schemas_is_overlooked(
    conn: Database, kind: str, change: str
) -> None:
    """Whatever a migration forgets shows in the catalog, under its kind."""
    before = read_catalog(conn)
    conn.execute(change)
    after = read_catalog(conn)
    assert kind in {kind for kind in CATALOG if after[kind] != before[kind]}


UNEXPLAINED = {
    "table": """
        SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'renewer'::regnamespace AND relkind = 'r'
          AND relname NOT LIKE '%yoyo%' AND obj_description(oid, 'pg_class') IS NULL
        ORDER BY name
    """,
    "column": """
        SELECT c.relname || '.' || a.attname AS name
        FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'renewer'::regnamespace AND c.relkind = 'r'
          AND c.relname NOT LIKE '%yoyo%' AND a.attnum > 0 AND NOT a.attisdropped
          AND col_description(c.oid, a.attnum) IS NULL
        ORDER BY name
    """,
    "domain": """
        SELECT typname AS name FROM pg_type
        WHERE typnamespace = 'renewer'::regnamespace AND typtype = 'd'
          AND obj_description(oid, 'pg_type') IS NULL
        ORDER BY name
    """,
    "type": """
        SELECT t.typname AS name
        FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid
        WHERE t.typnamespace = 'renewer'::regnamespace AND c.relkind = 'c'
          AND obj_description(t.oid, 'pg_type') IS NULL
        ORDER BY name
    """,
    "view": """
        SELECT relname AS name FROM pg_class
        WHERE relnamespace = 'renewer'::regnamespace AND relkind = 'v'
          AND obj_description(oid, 'pg_class') IS NULL
        ORDER BY name
    """,
    "function": """
        SELECT proname AS name FROM pg_proc
        WHERE pronamespace = 'renewer'::regnamespace
          AND has_function_privilege('renewer_app', oid, 'EXECUTE')
          AND obj_description(oid, 'pg_proc') IS NULL
        ORDER BY name
    """,
}
"""Things without a comment; of functions, those the marketplace may call."""


@pytest.mark.parametrize(
    "kind",
    [
        "table",
        "column",
        "domain",
        "type",
        "view",
        "function",
    ],
)
def test_whoever_looks_at_the_database_is_told_what_a_thing_is(
    database: str, conn: Database, kind: str
) -> None:
    """Each has a comment; the migration tool's own tables aside."""
    migrations.migrate(database, roles=True)
    assert conn.execute(UNEXPLAINED[kind]).fetchall() == []


def test_entries_cannot_be_changed_even_by_their_owner(empty_database: str) -> None:
    """Who owns the schema, superusers aside, may add entries and nothing else."""
    owner = "renewer_test_owner"
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute(
            f"DO $$ BEGIN CREATE ROLE {owner}; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
        conn.execute(f"GRANT CREATE ON DATABASE {conn.info.dbname} TO {owner}")
        conn.execute(f"SET ROLE {owner}")
        conn.execute("CREATE SCHEMA renewer")
        text = (schema.sql_folder() / "migrations" / "0001_schema.sql").read_text()
        conn.execute(text)
        add = (
            "INSERT INTO renewer.ledger_entry "
            "(member_id, seq, kind, amount, balance_after, lot, occurred_at) "
        )
        conn.execute(add + "VALUES ('m', 1, 'bonus', 5, 5, 1, now())")
        for statement in (
            "UPDATE renewer.ledger_entry SET amount = 6",
            "DELETE FROM renewer.ledger_entry",
            "TRUNCATE renewer.ledger_entry",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("amount = 0", "ledger_entry_amount_not_zero"),
        ("kind = 'expiry'", "ledger_entry_amount_signed"),
        ("kind = 'gift'", "ledger_entry_kind_known"),
        ("lot = NULL", "ledger_entry_lot_named"),
        ("balance_after = -1", "connects_not_negative"),
        ("occurred_at = 'infinity'", "instant_in_calendar"),
        ("first_day = '2016-05-19'", "ledger_entry_cycle_named"),
        ("kind = 'renewal'", "ledger_entry_cycle_named"),
    ],
)
def test_the_database_refuses_what_the_business_cannot(
    conn: Database, change: str, constraint: str
) -> None:
    """Each rule is a constraint with a name that says it."""
    conn.execute(
        "INSERT INTO renewer.ledger_entry "
        "(member_id, seq, kind, amount, balance_after, lot, occurred_at) "
        "VALUES ('m', 1, 'bonus', 5, 5, 1, now())"
    )
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        conn.execute(f"UPDATE renewer.ledger_entry SET {change}")
    assert caught.value.diag.constraint_name == constraint


def test_a_boundary_has_at_most_one_renewal(conn: Database) -> None:
    """The key is unique and never null, whoever writes."""
    add = (
        "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, "
        "balance_after, lot, first_day, last_day, anchor_on, cycle_n, occurred_at) "
        "VALUES ('m', {}, 'renewal', 60, 60, 1, '2016-05-19', '2016-06-18', "
        "'2016-04-19', 1, now())"
    )
    conn.execute(add.format(1))
    with pytest.raises(
        psycopg.errors.UniqueViolation, match="ledger_entry_boundary_key"
    ):
        conn.execute(add.format(2))
