"""What is only true of a real cluster: RENEWER_TEST_CITUS_URL names its coordinator."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg
import pytest

from renewer.errors import NodeAway
from renewer.store import migrations
from renewer.store.connection import Database, connect, read_clock
from renewer.store.queries import query
from tests.cluster import Cluster
from tests.integration.test_spread import NAMED, QUERIES, asked_of_a_cluster
from tests.support import (
    ROOT,
    bring_in,
    command,
    ledger,
    load_plans,
    renew,
    violations,
)

CROWD = [f"m{n},basic,2016-04-{n % 28 + 1:02},UTC,active,{n % 50}" for n in range(200)]
AS_OF = "2016-06-14T00:00"


@pytest.fixture
def crowd(cluster: Cluster, database: str, conn: Database) -> Database:
    """Two hundred members over the nodes."""
    load_plans(conn)
    bring_in(conn, CROWD, "2016-05-01T00:00")
    return conn


def find_ports(conn: Database) -> dict[str, int]:
    """Return the port of the node that each member lies on."""
    rows = conn.execute(
        "SELECT m.member_id, n.nodeport FROM (SELECT member_id, "
        "get_shard_id_for_distribution_column('renewer.member', member_id) AS shardid "
        "FROM (SELECT member_id FROM renewer.member OFFSET 0) AS o) AS m "
        "JOIN pg_dist_placement AS p USING (shardid) "
        "JOIN pg_dist_node AS n ON n.groupid = p.groupid"
    )
    return {row["member_id"]: row["nodeport"] for row in rows}


def test_members_are_spread_by_one_command_and_stay_as_they_were(
    cluster: Cluster, empty_database: str
) -> None:
    """From a schema with data; a second time nothing happens; verify finds nothing."""
    assert command(empty_database, "migrate", "--roles").returncode == 0
    with connect(empty_database) as conn:
        assert not conn.distributed
        load_plans(conn)
        bring_in(conn, CROWD, "2016-05-01T00:00")
    renew(empty_database, "2016-05-20T00:00")
    with connect(empty_database) as conn:
        conn.execute("SELECT renewer.spend('m20', 3, 'a')")
        before = ledger(conn)
    for _ in range(2):
        done = command(empty_database, "migrate", "--distributed")
        assert (done.returncode, done.stderr) == (0, "")
    with connect(empty_database) as conn:
        assert conn.distributed
        assert ledger(conn) == before
        assert len(set(find_ports(conn).values())) == len(cluster.nodes)
    done = command(empty_database, "verify")
    assert done.returncode == 0, done.stdout
    renew(empty_database, AS_OF)
    with connect(empty_database) as conn:
        assert violations(conn) == []


def test_whom_a_cluster_cannot_keep_is_refused(
    cluster: Cluster, empty_database: str
) -> None:
    """In one line: here sessions keep plans that grow with each statement."""
    name = psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"]
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {name} SET plan_cache_mode TO auto")
        version = conn.execute("SELECT citus_version()").fetchone()
    assert version is not None
    done = command(empty_database, "migrate", "--distributed")
    if "13.2.2" not in version[0]:
        pytest.skip("this version of Citus may be trusted")
    assert done.returncode == 2
    assert re.fullmatch(
        r"renewer: Citus 13\.2\.2 takes more memory .* on \S+:\d+ and .*\n", done.stderr
    )
    with psycopg.connect(empty_database) as conn:
        row = conn.execute("SELECT to_regnamespace('renewer')").fetchone()
    assert row == (None,)


def test_a_cluster_open_to_functions_of_anybody_is_refused(
    cluster: Cluster, empty_database: str
) -> None:
    """Nodes are asked with another search path than the coordinator: a trap for all."""
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    done = command(empty_database, "migrate", "--distributed")
    assert done.returncode == 2
    assert re.fullmatch(
        r"renewer: every login may create functions in schema public of \S+:\d+, .*: "
        r"REVOKE CREATE ON SCHEMA public FROM PUBLIC on every node\n",
        done.stderr,
    )


def test_a_posting_is_written_by_the_node_of_its_member(
    cluster: Cluster, empty_database: str
) -> None:
    """The procedure runs there: what goes wrong in it names the node's own port."""
    migrations.migrate(empty_database, distributed=True)
    with connect(empty_database) as conn:
        load_plans(conn)
        bring_in(conn, CROWD, "2016-05-01T00:00")
        conn.execute(
            "CREATE OR REPLACE FUNCTION renewer.post_member("
            "planned renewer.planned, run bigint) RETURNS text LANGUAGE plpgsql AS "
            "'BEGIN RAISE EXCEPTION ''%', current_setting(''port''); END'".replace(
                "''%'", "''%''"
            )
        )
        assert renew(empty_database, AS_OF).counts.failed == len(CROWD)
        written_at = {
            row["member_id"]: int(row["message"])
            for row in conn.execute("SELECT member_id, message FROM renewer.failure")
        }
        assert written_at == find_ports(conn)
        assert len(set(written_at.values())) == len(cluster.nodes)


def test_a_call_runs_on_the_node_of_its_member(crowd: Database) -> None:
    """On the coordinator and on any node: one task, and what it says is the same."""
    asked = "EXPLAIN (COSTS OFF) SELECT * FROM renewer.spend('m20', 3, 'a')"
    told = [next(iter(row.values())) for row in crowd.execute(asked)]
    assert any("Task Count: 1" in line for line in told), told


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, text in asked_of_a_cluster().items()
        if NAMED.search(text) and name != "members/find_repairable"
    ],
)
def test_a_statement_for_a_named_member_is_one_task(crowd: Database, name: str) -> None:
    """No other node is asked."""
    text = QUERIES[name]
    form = f"spread/{name}" if f"spread/{name}" in QUERIES else name
    given: dict[str, object] = {}
    for parameter in re.findall(r"%\((\w+)\)s", QUERIES[form]):
        kinds = re.search(rf"%\({parameter}\)s::(\w+(?:\[\])?)", QUERIES[form])
        assert kinds is not None
        given[parameter] = {
            "text[]": ["m20"],
            "text": "m20",
            "timestamptz": "2016-05-05",
            "date": "2016-05-05",
            "boolean": True,
        }.get(kinds[1], 3)
    with psycopg.ClientCursor(crowd) as cur:
        told = cur.execute(f"EXPLAIN (COSTS OFF) {text}", given).fetchall()  # type: ignore[arg-type]
    lines = [next(iter(row.values())) for row in told]  # type: ignore[attr-defined]
    assert {line.strip() for line in lines if "Task Count" in line} == {"Task Count: 1"}


def test_a_node_that_is_away_keeps_no_other_from_its_renewal(
    crowd: Database, database: str
) -> None:
    """
    The pass ends with one line that names it; once it is back the next does the rest.
    """
    ports = find_ports(crowd)
    away, *others = sorted(set(ports.values()))
    there = [member for member, port in ports.items() if port == away]
    move = "UPDATE pg_dist_node SET nodeport = %s WHERE nodeport = %s"
    with psycopg.connect(database, autocommit=True) as admin:
        # Nobody listens on this port.
        admin.execute(move, [1, away])
        try:
            with pytest.raises(NodeAway, match=r"node \S+:1 of the cluster"):
                renew(database, AS_OF)
            done = command(database, "run", "--as-of", AS_OF)
            assert done.returncode == 3
            assert len(done.stderr.splitlines()) == 1
        finally:
            admin.execute(move, [away, 1])
    due = "SELECT member_id FROM renewer.member WHERE due_at <= %s"
    with connect(database) as conn:
        left = {row["member_id"] for row in conn.execute(due, [AS_OF + "Z"])}
        assert left == set(there)
        assert others
        assert renew(database, AS_OF).counts.renewed == len(there)
        assert violations(conn) == []


def test_a_worker_hears_every_node(
    cluster: Cluster, database: str, conn: Database
) -> None:
    """What is announced on the node of a member is applied at once."""
    load_plans(conn)
    today = read_clock(conn)
    lines = [f"m{n},basic,{today:%Y-%m-%d},UTC,active,5" for n in range(30)]
    bring_in(conn, lines, f"{today:%Y-%m-%dT%H:%M}")
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    addresses = [database, *(cluster.at(node, str(name)) for node in cluster.nodes)]
    env = {
        "RENEWER_DATABASE_URL": database,
        "RENEWER_LISTEN_URL": " ; ".join(addresses),
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "renewer", "worker"],
        env=os.environ | env, cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert worker.stderr is not None
        seen: list[str] = []
        for line in worker.stderr:
            seen.append(json.loads(line)["event"])
            if seen.count("listener.started") == len(addresses) and (
                "renewal.pass_finished" in seen
            ):
                break
        for member in find_ports(conn):
            conn.execute("SELECT renewer.set_status(%s, 'suspended', 'a')", [member])
        deadline = time.monotonic() + 60
        waiting = "SELECT count(*) AS n FROM renewer.request WHERE applied_at IS NULL"
        while (conn.execute(waiting).fetchone() or {})["n"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        worker.kill()
        worker.communicate()
    triggers = {
        row["trigger"] for row in conn.execute("SELECT trigger FROM renewer.run")
    }
    assert triggers == {"schedule", "announced"}


@pytest.mark.parametrize("arguments", [("events",), ("seal",)])
def test_there_is_no_feed_over_several_nodes(
    crowd: Database, database: str, arguments: tuple[str, ...]
) -> None:
    """Each node counts transactions of its own: it is said, not guessed."""
    done = command(database, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("renewer: the ledger is spread over nodes")
    assert len(done.stderr.splitlines()) == 1


def test_no_node_lets_its_owner_change_an_entry(crowd: Database) -> None:
    """Neither on the table nor on a part of it."""
    rows = crowd.execute(
        "SELECT result FROM run_command_on_placements('renewer.ledger_entry', "
        "$$SELECT string_agg(DISTINCT a.privilege_type, ',') FROM pg_class AS c, "
        "aclexplode(c.relacl) AS a WHERE c.oid = '%s'::regclass$$)"
    ).fetchall()
    assert len(rows) == 32
    assert all(not {"UPDATE", "DELETE"} & set(row["result"].split(",")) for row in rows)


def test_every_command_that_reads_reads(crowd: Database, database: str) -> None:
    """From the coordinator and from a node."""
    renew(database, AS_OF)
    read: Callable[..., int] = lambda *asked: command(database, *asked).returncode  # noqa: E731
    for asked in (
        ("explain", "m20"), ("history", "m20"), ("preview", "m20"), ("status",),
        ("verify",), ("members",), ("expiring", "--within", "30d"),
        ("audit", "--from", "2016-05-01", "--to", "2016-05-31"),
        ("export", "members"), ("export", "entries"), ("export", "lots"),
        ("plans", "list"),
    ):  # fmt: skip
        assert read(*asked) == 0, asked


def test_the_members_of_a_bucket_lie_together(crowd: Database) -> None:
    """A batch is of one bucket, and so for one node."""
    rows = crowd.execute("SELECT member_id, bucket FROM renewer.member").fetchall()
    shards: dict[int, set[int]] = {}
    for row in rows:
        found = crowd.execute(
            "SELECT get_shard_id_for_distribution_column("
            "'renewer.member', %s::text) AS shard",
            [row["member_id"]],
        ).fetchone()
        assert found is not None
        shards.setdefault(row["bucket"], set()).add(found["shard"])
    assert all(len(each) == 1 for each in shards.values())


def test_the_query_of_one_bucket_is_the_plain_one(crowd: Database) -> None:
    """Who is due there, in the same order."""
    at = {"as_of": AS_OF + "Z"}
    plain = crowd.execute(
        "SELECT member_id FROM renewer.member WHERE bucket = 5 AND due_at <= %(as_of)s "
        "ORDER BY due_at, member_id",
        at,
    ).fetchall()
    found = crowd.execute(
        query("distribution/find_due_there"),
        at
        | {"bucket": 5, "retry_until": AS_OF + "Z", "after_due_at": "0001-01-02Z"}
        | {"after_member_id": "", "limit": 500},
    ).fetchone()
    assert found is not None
    told = re.findall(r'\["([^"]+)"', found["result"] or "")
    assert told == [row["member_id"] for row in plain]
    assert told
