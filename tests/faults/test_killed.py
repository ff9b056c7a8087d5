"""Passes and servers that die: real processes, really killed."""

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from renewer.store.connection import Database
from tests.support import (
    HEADER,
    ROOT,
    bring_in,
    ledger,
    load_plans,
    renew,
    utc,
    violations,
)

MEMBERS = 600
PLANS = ("basic", "plus", "agency-plus")


def member_line(n: int) -> str:
    """Return member *n* of the file: plans, anchors and balances take turns."""
    plan = PLANS[n % 3]
    anchor_on = date(2012 + n % 4, 1 + n % 12, 1 + n * 7 % 28)
    balance = n % 90
    return f"m{n},{plan},{anchor_on},UTC,active,{balance}"


LINES = [member_line(n) for n in range(MEMBERS)]
AS_OF = "2016-05-01T00:00"
BATCH = {"RENEWER_BATCH_SIZE": "10", "RENEWER_THREADS": "2"}


@pytest.fixture
def undisturbed(database: str, conn: Database) -> list[tuple[object, ...]]:
    """The ledger a pass leaves that nobody disturbs; the database is as before it."""
    load_plans(conn)
    bring_in(conn, LINES, "2016-03-01T00:00")
    renew(database, AS_OF)
    expected = ledger(conn)
    conn.execute("TRUNCATE renewer.member, renewer.lot, renewer.ledger_entry")
    bring_in(conn, LINES, "2016-03-01T00:00")
    return expected


def start_pass(database: str) -> subprocess.Popen[bytes]:
    env = os.environ | BATCH | {"RENEWER_DATABASE_URL": database}
    arguments = [sys.executable, "-m", "renewer", "run", "--as-of", AS_OF]
    return subprocess.Popen(
        arguments, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def renewed(conn: Database) -> int:
    row = conn.execute(
        "SELECT count(*) AS n FROM renewer.member WHERE due_at > %s", [utc(AS_OF)]
    ).fetchone()
    assert row is not None
    return int(row["n"])


def wait_until_renewed(
    conn: Database, members: int, process: subprocess.Popen[bytes]
) -> None:
    while renewed(conn) < members and process.poll() is None:
        time.sleep(0.001)


@pytest.mark.parametrize("killed_after", [0, 1, 100, 250, 400])
def test_a_killed_pass_is_finished_by_the_next(
    database: str,
    conn: Database,
    undisturbed: list[tuple[object, ...]],
    killed_after: int,
) -> None:
    """
    Whenever a pass dies, the next posts what is left, each entry once, and the ledger
    is as if nothing had been.
    """
    process = start_pass(database)
    wait_until_renewed(conn, killed_after, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert renewed(conn) < MEMBERS
    assert violations(conn) == []
    renew(database, AS_OF)
    assert violations(conn) == []
    assert ledger(conn) == undisturbed


def test_a_terminated_pass_finishes_its_batch(
    database: str, conn: Database, undisturbed: list[tuple[object, ...]]
) -> None:
    """
    SIGTERM is a request: what is in hand is posted and the run on record says that it
    was stopped.
    """
    process = start_pass(database)
    wait_until_renewed(conn, 50, process)
    process.terminate()
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 1, "members are left due"
    assert b"Stopped before the end" in out
    assert conn.execute(
        "SELECT stopped FROM renewer.run ORDER BY run_id DESC LIMIT 1"
    ).fetchone() == {"stopped": True}
    renew(database, AS_OF)
    assert ledger(conn) == undisturbed


def test_a_cut_connection_ends_the_pass_with_one_line(
    database: str, conn: Database, undisturbed: list[tuple[object, ...]]
) -> None:
    """
    The server's trouble is nobody's failure: exit code 3, nothing lost, and the next
    pass goes on.
    """
    process = start_pass(database)
    wait_until_renewed(conn, 50, process)
    conn.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert b"Traceback" not in err
    assert err.decode().splitlines()[-1].startswith("renewer: the database failed: ")
    assert conn.execute("SELECT 1 FROM renewer.failure").fetchone() is None
    renew(database, AS_OF)
    assert ledger(conn) == undisturbed
    assert violations(conn) == []


KILL_SERVER = """
import os, signal, sys
from functools import partial
from pathlib import Path
from renewer.host import embedded
from renewer.jobs import importing
from renewer.store import migrations
from renewer.jobs import plan_files
from renewer.jobs import renewal
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer import store
from renewer.rules.plans import Plans
from tests.support import BatchCallback, utc

folder, phase = Path(sys.argv[1]), sys.argv[2]
with embedded.running(folder) as conninfo:
    connect = partial(store.connect, conninfo)
    request = PassRequest(utc("2016-05-01T00:00"), PassOptions(batch_size=10))
    if phase == "kill":
        migrations.migrate(conninfo)
        with connect() as conn:
            plan_files.record_plans(conn, plan_files.read_plans("upwork-2016"))
            with open(sys.argv[3], "rb") as file:
                known = Plans(store.find_plans(conn))
                as_of = utc("2016-03-01T00:00")
                importing.import_members(
                    conn, file, known, as_of, on_bad=lambda *_: None)
        pid_file = folder / "postgresql" / "postmaster.pid"
        postmaster = int(pid_file.read_text().split()[0])
        posted = []

        def kill(taken_up):
            posted.append(taken_up)
            if sum(posted) > 200:
                os.kill(postmaster, signal.SIGKILL)

        try:
            renewal.renew_due(connect, request, observer=BatchCallback(kill))
        except Exception as error:
            print(type(error).__name__)
        os._exit(1)
    renewal.renew_due(connect, request)
    with connect() as conn:
        from tests.support import ledger, violations
        assert violations(conn) == []
        print(hash(tuple(repr(row) for row in ledger(conn))))
"""


def test_a_killed_server_loses_nothing(
    tmp_path: Path,
    database: str,
    conn: Database,
    undisturbed: list[tuple[object, ...]],
) -> None:
    """
    After a crash of PostgreSQL in mid-pass the next start recovers, and the next pass
    leaves the same ledger.
    """
    tmp_path.parent.parent.chmod(0o755)
    members = tmp_path / "members.csv"
    members.write_text("\n".join([HEADER, *LINES]))
    env = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    for phase, returncode in (("kill", 1), ("finish", 0)):
        arguments = [
            sys.executable,
            "-c",
            KILL_SERVER,
            str(tmp_path / "data"),
            phase,
            str(members),
        ]
        done = subprocess.run(
            arguments, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == returncode, done.stderr
    same = "import sys; print(hash(tuple(sys.stdin.read().split('\\n'))))"
    text = "\n".join(repr(row) for row in undisturbed)
    expected = subprocess.run(
        [sys.executable, "-c", same],
        env=env,
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == expected.stdout
