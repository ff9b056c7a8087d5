"""The schema: created, upgraded, guarded."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from renewer import store
from renewer.errors import SchemaError
from renewer.store import migrations
from renewer.store.queries import sql_folder
from tests.support import MIGRATIONS


def test_migrating_twice_does_nothing_the_second_time(empty_database: str) -> None:
    """
    The first run applies what is missing, the second nothing.

    Routines are there after both.
    """
    assert migrations.migrate(empty_database) == MIGRATIONS
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("DROP PROCEDURE renewer.post_batch")
    assert migrations.migrate(empty_database) == []
    with store.connect(empty_database) as conn:
        assert conn.execute(
            "SELECT 1 FROM pg_proc WHERE proname = 'post_batch'"
        ).fetchone()


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


def test_everything_lives_in_one_schema(conn: store.Database) -> None:
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
        store.connect(empty_database) as conn,
        pytest.raises(SchemaError, match="run `renewer migrate`"),
    ):
        migrations.check_schema(conn)


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The files of a release with one migration more; return its name."""
    shutil.copytree(sql_folder(), tmp_path / "sql", dirs_exist_ok=True)
    migration = tmp_path / "sql" / "migrations" / "0002_next.sql"
    migration.write_text(
        "-- depends: 0001_schema\nALTER TABLE renewer.run ADD COLUMN next text;\n"
    )
    monkeypatch.setattr(migrations, "sql_folder", lambda: tmp_path / "sql")
    return migration.stem


def test_a_schema_that_is_too_old_is_refused_until_it_is_upgraded(
    database: str, conn: store.Database, next_release: str
) -> None:
    """
    The error names the migration that is missing, and `migrate` applies that one alone.
    """
    with pytest.raises(
        SchemaError,
        match=r"older than this renewer \(0002_next is missing\): "
        r"run `renewer migrate`",
    ):
        migrations.check_schema(conn)
    assert migrations.migrate(database) == [next_release]
    migrations.check_schema(conn)


def test_a_schema_of_a_checkout_before_the_first_release_is_refused(
    empty_database: str,
) -> None:
    """In one line, and nothing of it is changed."""
    with store.connect(empty_database) as conn:
        conn.execute("CREATE SCHEMA renewer")
        conn.execute(
            "CREATE TABLE renewer._yoyo_migration "
            "(migration_hash text, migration_id text)"
        )
        conn.execute("INSERT INTO renewer._yoyo_migration VALUES ('x', '0001_ledger')")
        with pytest.raises(SchemaError, match="0001_ledger is unknown to it"):
            migrations.check_schema(conn)
        with pytest.raises(SchemaError, match="0001_ledger is unknown to it"):
            migrations.migrate(empty_database)
        assert conn.execute(
            "SELECT to_regclass('renewer.member') AS found"
        ).fetchone() == {"found": None}


def test_a_schema_that_is_too_new_is_refused(
    database: str, conn: store.Database
) -> None:
    """Neither a pass nor a migration touches it."""
    conn.execute(
        "INSERT INTO renewer._yoyo_migration (migration_hash, migration_id) "
        "VALUES ('x', '9999_future')"
    )
    with pytest.raises(SchemaError, match="9999_future"):
        migrations.check_schema(conn)
    with pytest.raises(SchemaError, match="upgrade renewer"):
        migrations.migrate(database)


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
        text = (migrations.sql_folder() / "migrations" / "0001_schema.sql").read_text()
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
        ("kind = 'gift'", "entry_kind_known"),
        ("lot = NULL", "ledger_entry_lot_named"),
        ("balance_after = -1", "connects_not_negative"),
        ("occurred_at = 'infinity'", "instant_in_calendar"),
        ("first_day = '2016-05-19'", "ledger_entry_cycle_named"),
        ("kind = 'renewal'", "ledger_entry_cycle_named"),
    ],
)
def test_the_database_refuses_what_the_business_cannot(
    conn: store.Database, change: str, constraint: str
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


def test_a_boundary_has_at_most_one_renewal(conn: store.Database) -> None:
    """The key is unique and never null, whoever writes."""
    add = (
        "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, "
        "balance_after, lot, first_day, anchor_on, cycle_n, occurred_at) VALUES "
        "('m', {}, 'renewal', 60, 60, 1, '2016-05-19', '2016-04-19', 1, now())"
    )
    conn.execute(add.format(1))
    with pytest.raises(
        psycopg.errors.UniqueViolation, match="ledger_entry_boundary_key"
    ):
        conn.execute(add.format(2))
