"""
What a cluster of Citus needs of schema and statements, held on one server.

What it does with them is seen on a real one: test_cluster.
"""

import re
from datetime import date
from typing import Any

import pytest

from renewer.store import migrations
from renewer.store.connection import Database
from renewer.store.queries import query
from tests.support import ROOT, bring_in, load_plans, renew, utc

SQL = ROOT / "sql"
OF_MEMBERS = ("member", "lot", "ledger_entry", "request", "failure")
"""Tables whose rows lie where their member does."""
QUERIES = {
    str(path.relative_to(SQL / "queries").with_suffix("")): path.read_text()
    for path in sorted((SQL / "queries").rglob("*.sql"))
}
SPREAD = sorted(name for name in QUERIES if f"cluster/{name}" in QUERIES)
"""Statements that have a second form for a cluster."""
HERE_ALONE = {
    # Over several nodes there is no feed.
    "feed/thin_ticks",
    # The demo's, which runs on a server of its own.
    "runs/date_runs",
}


def asked_of_a_cluster() -> dict[str, str]:
    """Return the statements a cluster is asked, by name, in their form for it."""
    return {
        name: text
        for name, text in QUERIES.items()
        if f"cluster/{name}" not in QUERIES and name not in HERE_ALONE
    }


def plain(sql: str) -> str:
    """Return *sql* without comments."""
    return re.sub(r"--.*", "", sql)


def find_names(conn: Database, sql: str) -> set[str]:
    return {row["name"] for row in conn.execute(sql)}


@pytest.mark.one_server("a cluster's own catalogue has more")
def test_every_unique_key_of_member_data_holds_the_member(
    conn: Database,
) -> None:
    """A cluster can keep no other unique."""
    rows = conn.execute(
        "SELECT i.indrelid::regclass::text AS name, "
        "array_agg(DISTINCT a.attname::text) @> '{member_id}' AS has_member "
        "FROM pg_index AS i JOIN pg_attribute AS a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indisunique AND i.indrelid = ANY (%s::regclass[]) "
        "GROUP BY i.indexrelid, i.indrelid",
        [[f"renewer.{table}" for table in OF_MEMBERS]],
    ).fetchall()
    assert {row["name"] for row in rows} == {f"renewer.{each}" for each in OF_MEMBERS}
    assert all(row["has_member"] for row in rows)


@pytest.mark.one_server("a cluster's own catalogue has more")
def test_nothing_ties_a_row_to_another_node(conn: Database) -> None:
    """There is no trigger and no foreign key, and a member's name is plain text."""
    inside = "renewer'::regnamespace"
    assert not find_names(
        conn,
        "SELECT tgname AS name FROM pg_trigger AS t JOIN pg_class AS c "
        f"ON c.oid = t.tgrelid WHERE c.relnamespace = '{inside}",
    )
    assert not find_names(
        conn,
        "SELECT conname AS name FROM pg_constraint WHERE contype = 'f' "
        f"AND connamespace = '{inside}",
    )
    types = find_names(
        conn,
        "SELECT format_type(a.atttypid, a.atttypmod) || ' ' || "
        "a.attcollation::regcollation AS name "
        "FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
        f"WHERE c.relnamespace = '{inside} AND c.relkind = 'r' "
        "AND a.attname = 'member_id'",
    )
    assert types == {'text "C"'}


@pytest.mark.one_server("a cluster's own catalogue has more")
def test_no_view_is_made_with_the_type_of_a_tables_rows(conn: Database) -> None:
    """Of what depends on a table that depends on it a cluster makes no copies."""
    assert not find_names(
        conn,
        "SELECT p.proname AS name FROM pg_depend AS d "
        "JOIN pg_rewrite AS w ON w.oid = d.objid "
        "AND d.classid = 'pg_rewrite'::regclass "
        "JOIN pg_proc AS p ON p.oid = d.refobjid "
        "AND d.refclassid = 'pg_proc'::regclass "
        "JOIN pg_type AS t ON t.oid = ANY (p.proargtypes) "
        "JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'r' "
        "WHERE p.pronamespace = 'renewer'::regnamespace",
    )


@pytest.mark.one_server("a cluster's own catalogue has more")
def test_every_table_is_laid_out(conn: Database) -> None:
    """On every node, beside its member, or on the coordinator."""
    laid_out = re.findall(
        r"\(\d, 'renewer\.(\w+)', '(\w+)'\)",
        (SQL / "cluster" / "tables.sql").read_text(),
    )
    tables = find_names(
        conn,
        "SELECT relname AS name FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'renewer'::regnamespace "
        "AND relname NOT IN ('_yoyo_log', '_yoyo_version', 'yoyo_lock')",
    )
    assert {name for name, _ in laid_out} == tables
    with_member = find_names(
        conn,
        "SELECT c.relname AS name FROM pg_class AS c JOIN pg_attribute AS a "
        "ON a.attrelid = c.oid AND a.attname = 'member_id' WHERE c.relkind = 'r' "
        "AND c.relnamespace = 'renewer'::regnamespace",
    )
    spread = {name for name, how in laid_out if how in ("spread", "beside")}
    assert spread == with_member == set(OF_MEMBERS)


@pytest.mark.one_server("a cluster's own catalogue has more")
def test_what_is_called_for_a_member_runs_where_they_are(
    database: str, conn: Database
) -> None:
    """
    Privileges and distribution find the calls of the marketplace by one condition.
    """
    condition = "p.prosecdef AND 'reference' = ANY (p.proargnames)"
    for name in ("roles.sql", "cluster/routines.sql"):
        assert condition in (SQL / name).read_text()
    migrations.migrate(database, roles=True)
    rows = conn.execute(
        "SELECT p.proname, p.proargnames[1] AS first FROM pg_proc AS p "
        f"WHERE p.pronamespace = 'renewer'::regnamespace AND {condition} "
        "AND has_function_privilege('renewer_app', p.oid, 'EXECUTE') ORDER BY 1"
    )
    assert [tuple(row.values()) for row in rows] == [
        (name, "member_id")
        for name in (
            "change_plan",
            "enroll",
            "grant_bonus",
            "purchase",
            "refund",
            "set_status",
            "set_timezone",
            "spend",
        )
    ]


ROUTINES = sorted((SQL / "routines").rglob("*.sql"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *asked_of_a_cluster().items(),
        *((path.stem, path.read_text()) for path in ROUTINES),
    ],
    ids=lambda given: given if "\n" not in given else "",
)
def test_what_changes_rows_asks_no_clock(name: str, text: str) -> None:
    """Neither an UPDATE nor its CASE; DO UPDATE takes what was to be inserted."""
    for changes in re.findall(r"\bUPDATE\b[^;]*\bSET\b[^;]*;", plain(text)):
        assert "clock_timestamp" not in changes
        for case in re.findall(r"\bCASE\b.*?\bEND\b", changes, re.S):
            assert "now()" not in case
    for changes in re.findall(r"\bDO UPDATE\s+SET\b([^;]*);", plain(text)):
        assert not re.search(r"\w\(", changes)


NAMED = re.compile(r"%\((members?)\)s")
TABLE = re.compile(rf"renewer\.(?:{'|'.join(OF_MEMBERS)}) AS (\w+)")


@pytest.mark.parametrize(
    "name", [name for name, text in asked_of_a_cluster().items() if NAMED.search(text)]
)
def test_a_statement_for_named_members_asks_their_nodes_alone(name: str) -> None:
    """
    Each table is filtered by them, or joined to one that is.

    A table that is looked up in a SELECT of its own needs the filter all the same.
    """
    text = plain(QUERIES[name])
    for alias in TABLE.findall(text):
        filtered = rf"\b{alias}\.member_id = (ANY \()?%\(members?\)s::text"
        joined = rf"AS {alias}\s+ON {alias}\.member_id = \w\.member_id"
        looked_up = rf"WHERE {alias}\.member_id = (\w)\.member_id"
        if name == "members/find_repairable" and alias == "e":
            # Members of all nodes, a thousand at a time.
            continue
        assert re.search(filtered, text) or (
            re.search(joined, text) and not re.search(looked_up, text)
        ), alias


def test_every_form_for_a_cluster_is_of_a_statement() -> None:
    """It takes the same parameters, and says why it exists."""
    for name in SPREAD:
        original, form = QUERIES[name], QUERIES[f"cluster/{name}"]
        taken = re.compile(r"%\((\w+)\)s")
        assert set(taken.findall(form)) <= set(taken.findall(original)), name
        assert "\n-- Why: " in form, name


PARAMETERS: dict[str, dict[str, Any]] = {
    "history/find_awards": {
        "members": ["m1", "m2", "m3"],
        "start": date(2016, 4, 1),
        "end": None,
    },
    "members/find_members": {"members": [f"m{n}" for n in range(12)]},
    "members/find_next_due": {"as_of": utc("2016-05-18T00:00")},
    "runs/find_causes": {"most": 3},
    "runs/find_failures": {"limit": 3, "member": None},
    "watch/count_waiting": {"as_of": utc("2016-06-25T00:00"), "most": 5},
    "watch/find_backlog": {"as_of": utc("2016-06-25T00:00"), "most": 5},
    "watch/take_census": {
        "at": utc("2016-05-18T00:30"),
        "minutes": 0,
        "most": 2,
    },
}


@pytest.mark.one_server("it refuses one of the two")
@pytest.mark.parametrize("name", SPREAD)
def test_the_form_for_a_cluster_gives_the_same_answer(
    name: str, database: str, conn: Database
) -> None:
    """On members of every kind: renewed, failed, with a request, without a rule."""
    load_plans(conn)
    bring_in(
        conn,
        [f"m{n},basic,2016-04-{n % 28 + 1:02},UTC,active,{n}" for n in range(40)],
        "2016-05-01T00:00",
    )
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id < 'm13'")
    conn.execute("SELECT renewer.spend('m20', 3, 'a')")
    conn.execute("SELECT renewer.change_plan('m2', 'plus', 'now', 'a', '2016-05-02')")
    renew(database, "2016-06-14T00:00")
    conn.execute("SELECT renewer.change_plan('m3', 'plus', 'now', 'b', '2016-06-14')")
    given = PARAMETERS[name]
    if name == "watch/take_census":
        # One a minute: the hours they tell of are the same.
        conn.execute(query(name), given)
        later = given | {"at": utc("2016-05-18T00:31")}
        conn.execute(query(f"cluster/{name}"), later)
        rows = conn.execute("SELECT members, due, without_rule FROM renewer.census")
        first, second = rows.fetchall()
    else:
        first = conn.execute(query(name), given).fetchall()
        second = conn.execute(query(f"cluster/{name}"), given).fetchall()
    assert first == second
    assert first


def test_a_bucket_is_a_part_of_a_shard(conn: Database) -> None:
    """Its number is the first six bits of the hash by which members are spread."""
    load_plans(conn)
    lines = [f"m{n},basic,2016-04-19,UTC,active,0" for n in range(500)]
    bring_in(conn, lines, "2016-05-01T00:00")
    rows = conn.execute(
        "SELECT bucket, ((hashtext(member_id)::bigint + 2147483648) >> 26)::smallint "
        "AS formula FROM renewer.member"
    ).fetchall()
    assert len(rows) == 500
    assert all(row["bucket"] == row["formula"] for row in rows)
    assert {row["bucket"] for row in rows} == set(range(64))
