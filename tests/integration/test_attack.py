"""Whoever may create things beside renewer's gets nothing done as its roles."""

import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from renewer.store import migrations, staging
from renewer.store.connection import LEASE_CLASS, Database, connect
from renewer.store.feed import read_events, tick
from renewer.store.history import find_awards
from tests.integration.test_trouble import post_once
from tests.support import (
    ROOT,
    bring_in,
    load_plans,
    read_statement,
    renew,
    statement,
    violations,
)

pytestmark = pytest.mark.one_server("what it plants would stay for other tests")

POISON = """
    CREATE FUNCTION public.{name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE renewer.member SET balance = 1000;
        RAISE EXCEPTION 'poisoned';
    END $$
"""

MATCHES = [
    ("format", "text, text", "text"),
    ("format", "text, text, integer, integer", "text"),
    ("json_build_array", "text, text, jsonb, timestamptz", "json"),
    ("json_build_array", "integer, text, integer, timestamptz, timestamptz", "json"),
    ("jsonb_build_object", "text, text, text, text, text, text, text, text", "jsonb"),
    ("json_agg", "json", "json"),
    ("set_config", "text, text, boolean", "text"),
    ("left", "text, integer", "text"),
    ("pg_notify", "text, text", "void"),
    ("now", "", "timestamptz"),
    ("count", "text", "bigint"),
    ("hashtext", "text", "integer"),
    ("current_setting", "text", "text"),
    ("jsonb_populate_recordset", "renewer.planned, jsonb", "SETOF renewer.planned"),
    ("unnest", "renewer.planned_lot[]", "SETOF renewer.planned_lot"),
]


@pytest.fixture
def intruder(database: str, conn: Database) -> Iterator[psycopg.Connection]:
    """A login that may create functions in `public`, as everybody could up to 14."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    bring_in(conn, ["a,basic,2016-04-19,UTC,active,2"], "2016-05-01")
    conn.execute("GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC")
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SET ROLE renewer_app")
        yield other


def look_elsewhere_first(conn: Database) -> None:
    """Let the job's role find what is in `public` before what is built in."""
    role = conn.execute("SELECT current_user AS name").fetchone()
    assert role is not None
    conn.execute(
        sql.SQL(
            "ALTER ROLE {} IN DATABASE {} SET search_path = public, pg_catalog"
        ).format(sql.Identifier(role["name"]), sql.Identifier(conn.info.dbname))
    )


def test_a_better_match_for_a_built_in_is_never_run(
    database: str, conn: Database, intruder: psycopg.Connection
) -> None:
    """Neither by a pass nor by a call, whatever search path the role has."""
    for name, arguments, returns in MATCHES:
        if "SETOF" in returns:
            continue
        intruder.execute(
            POISON.format(name=name, arguments=arguments, returns=returns).encode()
        )
    look_elsewhere_first(conn)
    heard: list[str] = []
    with connect(database) as watched:
        watched.add_notice_handler(
            lambda told: heard.append(told.message_primary or "")
        )
        watched.execute("SET search_path = public, pg_catalog")
        watched.execute("SELECT renewer.spend('a', 1, 's', '2016-05-02')")
        with pytest.raises(psycopg.Error, match="not enough Connects"):
            watched.execute("SELECT renewer.spend('a', 9, 's2', '2016-05-02')")
    assert renew(database, "2016-05-19T00:00").counts.renewed == 1
    assert statement(conn, "a") == [
        ("opening", 2, 2),
        ("spend", -1, 1),
        ("expiry", -1, 0),
        ("renewal", 60, 60),
    ]
    assert violations(conn) == []


def test_an_operator_of_the_same_name_is_never_run(
    database: str, conn: Database, intruder: psycopg.Connection
) -> None:
    """Neither by a pass nor by the first statements of its connections."""
    poison = POISON.format(name="poison", arguments="text, text", returns="boolean")
    intruder.execute(poison.encode())
    for name in ("=", "<>", "<", ">", "~", "!~", "~~"):
        intruder.execute(
            f"CREATE OPERATOR public.{name} "
            "(LEFTARG = text, RIGHTARG = text, FUNCTION = public.poison)".encode()
        )
    look_elsewhere_first(conn)
    assert renew(database, "2016-05-19T00:00").counts.renewed == 1
    assert violations(conn) == []


NEARER = """
DO $do$
DECLARE
    operands oid[] := (
        SELECT array_agg(t.oid) FROM pg_type AS t
        WHERE t.typnamespace = 'renewer'::regnamespace AND t.typtype = 'd'
           OR t.oid = ANY ('{int4, int8, numeric, text, name, oid, regnamespace,
                             timestamptz, date, interval, jsonb}'::regtype[]));
    a oid;
    b oid;
    name text;
    gives regtype;
    signature text;
BEGIN
    FOREACH a IN ARRAY operands LOOP FOREACH b IN ARRAY operands LOOP
        FOREACH name IN ARRAY '{=, <>, <, >, <=, >=, ~, ||, +, -, *, ->>}'::text[] LOOP
            CONTINUE WHEN EXISTS (
                SELECT FROM pg_operator AS o
                WHERE o.oprname = name AND o.oprleft = a AND o.oprright = b);
            -- What the built-in one gives, so that the rest of a statement is read.
            gives := coalesce((
                SELECT o.oprresult FROM pg_operator AS o
                WHERE o.oprname = name AND (o.oprleft = a OR o.oprright = b)
                ORDER BY o.oprresult = a DESC, o.oid LIMIT 1), 'boolean'::regtype);
            signature := format(
                'public.%I (%s, %s)', 'nearer_' || gives, a::regtype, b::regtype);
            IF to_regprocedure(signature) IS NULL THEN
                EXECUTE format('CREATE FUNCTION %s RETURNS %s LANGUAGE plpgsql AS '
                               '$f$BEGIN RAISE ''taken in''; END$f$', signature, gives);
            END IF;
            EXECUTE format('CREATE OPERATOR public.%s '
                           '(LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.%I)',
                           name, a::regtype, b::regtype, 'nearer_' || gives);
        END LOOP;
    END LOOP; END LOOP;
    FOREACH a IN ARRAY operands LOOP
        FOREACH name IN ARRAY '{sum, min, max, length}'::text[] LOOP
            signature := format('%s (%s)', name, a::regtype);
            CONTINUE WHEN to_regprocedure('pg_catalog.' || signature) IS NOT NULL;
            EXECUTE format('CREATE FUNCTION public.%s RETURNS %s LANGUAGE plpgsql AS '
                           '$f$BEGIN RAISE ''taken in''; END$f$',
                           signature, a::regtype);
        END LOOP;
    END LOOP;
END $do$
"""
"""
For each two operands the operators that no built-in one takes exactly: the server would
have to read a domain as its base, or a number as a wider one.
"""


@pytest.fixture
def misread(conn: Database, intruder: psycopg.Connection) -> Database:
    """A connection that finds better matches in `public`, as through a pooler."""
    conn.execute(NEARER.encode())
    conn.execute("SET search_path = public")
    return conn


def test_no_statement_means_an_operator_that_fits_better(
    misread: Database,
) -> None:
    """
    An operand that is a domain's is read as its base by a cast, never by the server.

    The server tells which operators and functions it understands. What compares the
    catalog has its search path set in its transaction.
    """
    if misread.info.server_version < 160000:
        pytest.skip("up to 15 the server does not print what it explains")
    told: list[str] = []
    misread.add_notice_handler(lambda d: told.append(d.message_detail or ""))
    folder = ROOT / "sql" / "queries"
    create = (folder / "staging" / "create_staging.sql").read_text(encoding="utf-8")
    misread.execute(create.replace("ON COMMIT DROP", "").encode())
    misread.execute("SET debug_print_parse = on")
    misread.execute("SET client_min_messages = log")
    looked_at = 0
    found: dict[str, list[int]] = {}
    for path in sorted(folder.rglob("*.sql")):
        text = re.sub("--.*", "", path.read_text(encoding="utf-8")).strip()
        begins = text.startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))
        # What only a cluster is asked has nothing of ours that a domain could be.
        if path.parent.name in ("catalog", "distribution") or not begins:
            continue
        told.clear()
        plain = re.sub(r"%\(\w+\)s", "NULL", text).replace("%%", "%")
        misread.execute(f"EXPLAIN {plain}".encode())
        used = {
            int(oid) for oid in re.findall(r":(?:opno|funcid) (\d+)", " ".join(told))
        }
        looked_at += bool(used)
        found[str(path.relative_to(folder))] = [
            row["oid"]
            for row in misread.execute(
                "SELECT o.oid FROM pg_catalog.pg_operator AS o "
                "WHERE o.oid OPERATOR(pg_catalog.=) ANY (%(used)s::oid[]) "
                "AND o.oprnamespace OPERATOR(pg_catalog.=) 'public'::regnamespace::oid "
                "UNION ALL SELECT p.oid FROM pg_catalog.pg_proc AS p "
                "WHERE p.oid OPERATOR(pg_catalog.=) ANY (%(used)s::oid[]) "
                "AND p.pronamespace OPERATOR(pg_catalog.=) 'public'::regnamespace::oid",
                {"used": [*used]},
            )
        ]
    assert {name: oids for name, oids in found.items() if oids} == {}
    assert looked_at > 50


def test_who_reads_open_lots_runs_nothing_of_an_intruders(
    database: str, misread: Database
) -> None:
    """Not even a person with every right, whose search path nobody pins."""
    misread.execute("RESET search_path")
    misread.execute("SELECT renewer.spend('a', 1, 's', '2016-05-02')")
    misread.execute("SELECT renewer.refund('a', 's', 'r')")
    misread.execute("SET search_path = public")
    # Returned while years of boundaries wait: its cycle is found by counting on.
    lots = misread.execute("SELECT * FROM renewer.open_lot").fetchall()
    assert [lot["source"] for lot in lots] == ["allowance", "refund"]


TYPES = ("text", "timestamptz", "date", "jsonb", "uuid", "pg_snapshot")


def test_a_type_of_the_same_name_is_never_used(
    database: str, conn: Database, intruder: psycopg.Connection
) -> None:
    """A domain's check would run whenever a value is cast to it."""
    for name in TYPES:
        poison = POISON.format(
            name=f"poison_{name}", arguments=f"pg_catalog.{name}", returns="boolean"
        )
        intruder.execute(poison.encode())
        intruder.execute(
            f"CREATE DOMAIN public.{name} AS pg_catalog.{name} "
            f"CHECK (public.poison_{name}(VALUE))".encode()
        )
    look_elsewhere_first(conn)
    assert renew(database, "2016-05-19T00:00").counts.renewed == 1
    with connect(database) as other:
        tick(other)
        assert len(read_events(other, None, 10)) == 2
        assert violations(other) == []
    assert violations(conn) == []


def test_a_cast_to_or_from_what_is_built_in_takes_its_owner(
    intruder: psycopg.Connection,
) -> None:
    """Nobody else has a say in how renewer's values are read."""
    poison = POISON.format(name="poison", arguments="text", returns="bigint")
    intruder.execute(poison.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        intruder.execute(
            "CREATE CAST (text AS bigint) WITH FUNCTION public.poison (text) "
            "AS IMPLICIT"
        )


@pytest.mark.parametrize("name", ["member", "lot", "plan", "request"])
def test_a_temporary_table_takes_no_place_of_renewers(
    conn: Database, intruder: psycopg.Connection, name: str
) -> None:
    """A call that runs with the owner's rights looks there last."""
    intruder.execute(
        f"CREATE TEMPORARY TABLE {name} (member_id text, balance integer)".encode()
    )
    intruder.execute("SELECT renewer.spend('a', 1, 's', '2016-05-02')")
    assert statement(conn, "a")[-1] == ("spend", -1, 1)


def test_a_temporary_type_takes_no_place_of_one_that_is_built_in(
    conn: Database, intruder: psycopg.Connection
) -> None:
    """A domain's check would run with the owner's rights in every call."""
    poison = POISON.format(name="poison", arguments="jsonb", returns="boolean")
    intruder.execute(poison.encode())
    intruder.execute(
        "CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (public.poison(VALUE))"
    )
    intruder.execute("SELECT renewer.spend('a', 1, 's', '2016-05-02')")
    assert statement(conn, "a")[-1] == ("spend", -1, 1)


def test_a_lock_any_login_can_take_keeps_no_import_from_ending(
    conn: Database, intruder: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for, and then done without: the key is the guard."""
    monkeypatch.setattr(staging, "PATIENCE_S", 0.1)
    intruder.execute("SELECT pg_advisory_lock(%s, -1)", [LEASE_CLASS])
    bring_in(conn, ["b,basic,2016-04-19,UTC,active,2"], "2016-05-01")
    assert statement(conn, "b") == [("opening", 2, 2)]


def test_who_keeps_a_migration_waiting_is_named(
    database: str, intruder: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of that lock nothing but a person can tell whether it is a migration's."""
    monkeypatch.setattr(migrations, "TELL_AFTER_S", 0.1)
    intruder.execute("SELECT pg_advisory_lock(%s)", [migrations.MIGRATE_LOCK])
    told: list[str] = []

    def give_back(line: str) -> None:
        told.append(line)
        intruder.execute("SELECT pg_advisory_unlock_all()")

    assert migrations.migrate(database, tell=give_back) == []
    assert told == [
        "Another migration is under way "
        f"(process {intruder.info.backend_pid}, {intruder.info.user}): "
        "waiting for it to end."
    ]


def test_a_better_match_in_another_schema_is_not_called(
    m: Database, other: Database
) -> None:
    """
    Whoever may create a function in public must not have it run by the job.

    The search_path is what a pooled connection has: nothing is set there.
    """
    m.execute(
        "CREATE FUNCTION public.jsonb_build_object("
        "text, text, text, text, text, text, text, text) "
        "RETURNS jsonb LANGUAGE plpgsql AS $$BEGIN RAISE 'taken in'; END$$"
    )
    m.execute("SET search_path = public")
    other.execute("BEGIN; SELECT FROM renewer.member WHERE member_id = 'm' FOR UPDATE")
    assert post_once(m) == ["m"]


def test_a_better_match_in_another_schema_is_not_called_by_a_query(
    m: Database,
) -> None:
    """What a backfill, `explain` and `history` ask is asked through poolers, too."""
    m.execute(
        "CREATE FUNCTION public.array_remove(timestamptz[], timestamptz) "
        "RETURNS timestamptz[] LANGUAGE plpgsql AS $$BEGIN RAISE 'taken in'; END$$"
    )
    post_once(m)
    m.execute("SET search_path = public")
    assert len(find_awards(m, ["m"])["m"]) == 1


@pytest.fixture(scope="module")
def built_ins(server: str) -> str:
    """
    A pattern of the built-ins that take any type, as the server knows them.

    Of max and min it has one of its own for every type we ask for.
    """
    with psycopg.connect(server) as conn:
        rows = conn.execute(
            "SELECT DISTINCT p.proname FROM pg_catalog.pg_proc AS p "
            "JOIN pg_catalog.pg_type AS t ON t.oid = ANY (p.proargtypes) "
            "WHERE p.pronamespace = 'pg_catalog'::regnamespace "
            "AND t.typname LIKE 'any%' AND p.proname NOT IN ('max', 'min')"
        )
        return "|".join(re.escape(name) for (name,) in rows)


STATEMENTS = sorted(
    str(path.relative_to(ROOT / "sql"))
    for folder in ("queries", "routines", "views")
    for path in (ROOT / "sql" / folder).rglob("*.sql")
)


@pytest.mark.parametrize("path", STATEMENTS)
def test_built_ins_that_take_any_type_are_named_with_their_schema(
    built_ins: str, path: str
) -> None:
    """
    One of the same name that takes exactly these arguments would be preferred.

    There is none that count(*) could be taken for.
    """
    by_name_alone = rf"(?<![.\w])({built_ins})\s*\((?!\*\))"
    assert re.findall(by_name_alone, read_statement(path)) == []
