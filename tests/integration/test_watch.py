"""What workers do beside passes, with no more than a worker's privileges."""

import threading
from datetime import timedelta
from functools import partial

import pytest
from psycopg.conninfo import make_conninfo

from renewer.answers import verification
from renewer.store import migrations
from renewer.store.connection import Database, connect
from renewer.store.watch import take_census
from renewer.worker.duties import Duties
from tests.support import bring_in, load_plans, renew

MEMBERS = [f"m{n},plus,2016-04-{n + 1:02},UTC,active,9" for n in range(5)]
AGED = "UPDATE renewer.census SET taken_at = taken_at - make_interval(mins => %s)"


@pytest.mark.one_server("an UPDATE there takes no interval of a column")
def test_a_worker_counts_at_its_start_and_then_hourly(
    database: str, conn: Database
) -> None:
    """Who came since is counted; a worker that is started anew and anew waits."""
    load_plans(conn)

    def counted_after(minutes: int, duties: Duties) -> bool:
        """Whether house-keeping counts, the last census being so many minutes old."""
        conn.execute("DELETE FROM renewer.census")
        assert take_census(conn, timedelta(0))
        conn.execute(AGED, [minutes])
        duties.keep_house()
        census = conn.execute("SELECT count(*) AS taken FROM renewer.census").fetchone()
        return census == {"taken": 2}

    def start() -> Duties:
        return Duties(partial(connect, database), 400, threading.Event())

    assert not counted_after(4, start())
    working = start()
    assert counted_after(6, working)
    assert not counted_after(49, working)
    assert counted_after(51, working)


@pytest.mark.one_server("a role that may not log in reaches no node")
def test_one_worker_verifies_and_counts_in_stretches(
    database: str, conn: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two, the first does; old runs go; a violation in any stretch is counted."""
    monkeypatch.setattr(verification, "STRETCH", 2)
    migrations.migrate(database, roles=True)
    load_plans(conn)
    bring_in(conn, MEMBERS, "2016-05-14")
    conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'm0'")
    conn.execute("UPDATE renewer.member SET balance = 8 WHERE member_id = 'm4'")
    renew(database, "2016-05-20")
    conn.execute("UPDATE renewer.run SET started_at = now() - interval '401 days'")
    as_worker = make_conninfo(database, options="-c role=renewer_worker")
    duties = Duties(partial(connect, as_worker), 400, threading.Event())
    for _ in range(2):
        duties.keep_house()
        duties.verify()
    assert conn.execute("SELECT FROM renewer.run").fetchall() == []
    censuses = conn.execute("SELECT members, without_rule FROM renewer.census")
    assert censuses.fetchall() == [
        {
            "members": [
                {
                    "status": "active",
                    "plan": "gold",
                    "members": 1,
                    "without_rule": 1,
                    "first_without_rule": [
                        {"member_id": "m0", "renews_at": "2016-06-01T00:00:00+00:00"}
                    ],
                },
                {
                    "status": "active",
                    "plan": "plus",
                    "members": 4,
                    "without_rule": 0,
                    "first_without_rule": [],
                },
            ],
            "without_rule": 1,
        }
    ]
    found = conn.execute(
        "SELECT members::integer, violations > 0 AS broken, "
        "finished_at IS NOT NULL AS finished FROM renewer.verification"
    )
    assert found.fetchall() == [{"members": 5, "broken": True, "finished": True}]
    entries = conn.execute("SELECT entries FROM renewer.verification").fetchone()
    counted = conn.execute("SELECT count(*) AS entries FROM renewer.ledger_entry")
    assert entries == counted.fetchone()
