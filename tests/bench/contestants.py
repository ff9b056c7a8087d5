"""
Who renews the same members: renewer, and what else a team would build.

Each is a process of its own, so that its CPU is known.
`python -m tests.bench.contestants NAME CONNINFO` runs one.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from renewer.rules.plans import Plans
from renewer.rules.policy import plan_posting
from renewer.rules.posting import Posting
from renewer.store.connection import connect
from renewer.store.members import find_members
from renewer.store.revisions import find_plans
from tests.bench.scene import AS_OF, BATCH, find_due
from tests.bench.server import tool
from tests.support import ROOT, utc

HERE = Path(__file__).parent


def call(*command: str, **env: str) -> None:
    """Run a process to its end; its error ends the benchmark."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def renewer(conninfo: str) -> None:
    """`renewer run`: select, plan, post, record."""
    call(
        sys.executable, "-m", "renewer", "run", "--as-of", AS_OF,
        RENEWER_DATABASE_URL=conninfo,
    )  # fmt: skip


def pgbench(clients: int, *, synchronous: bool) -> Callable[[str], None]:
    """Return pgbench with the same transaction, planned before, prepared."""

    def run(conninfo: str) -> None:
        with psycopg.connect(conninfo) as conn:
            row = conn.execute("SELECT count(*) FROM bench.work").fetchone()
        assert row is not None
        each = -(-row[0] // clients)
        mode = "on" if synchronous else "off"
        call(
            str(tool("pgbench")), "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
            "-t", str(each), "-D", "n=0", "-D", f"clients={clients}",
            "-f", str(HERE / "pgbench.sql"), conninfo,
            PGOPTIONS=f"-c synchronous_commit={mode}",
        )  # fmt: skip

    return run


def by_itself(name: str) -> Callable[[str], None]:
    """Return contestant *name* below, as a process."""

    def run(conninfo: str) -> None:
        call(sys.executable, "-m", "tests.bench.contestants", name, conninfo)

    return run


LOOK = "SELECT version FROM renewer.member WHERE member_id = %s FOR UPDATE"
ADD_LOT = (
    "INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at, "
    "expires_at) VALUES (%s, %s, %s, %s, %s, %s)"
)
CHANGE_LOT = (
    "UPDATE renewer.lot SET remaining = %s WHERE member_id = %s AND number = %s"
)
ADD_ENTRY = (
    "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, "
    "lot, first_day, last_day, anchor_on, cycle_n, plan, reason, reference, "
    "occurred_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
CHANGE_MEMBER = (
    "UPDATE renewer.member SET balance = %s, cycle_n = %s, cycle_first_day = %s, "
    "cycle_last_day = %s, last_boundary_at = %s, cycle_ended_at = %s, "
    "renews_at = %s, lapses_at = %s, allowance_lot = %s, "
    "last_seq = %s, last_lot = %s, version = version + 1 WHERE member_id = %s"
)


def post(conn: psycopg.Connection[Any], posting: Posting) -> None:
    """Write one posting the plain way, a statement a row."""
    member_id, after = posting.before.member_id, posting.after
    with conn.transaction():
        conn.execute(LOOK, [member_id])
        for lot in posting.new_lots:
            row = (lot.source, lot.remaining, lot.issued_at, lot.expires_at)
            conn.execute(ADD_LOT, [member_id, lot.number, *row])
        for lot in posting.changed_lots:
            conn.execute(CHANGE_LOT, [lot.remaining, member_id, lot.number])
        for e in posting.entries:
            row = (member_id, e.seq, e.kind, e.amount, e.balance_after, e.lot)
            days = (e.first_day, e.last_day, e.anchor_on, e.cycle_n, e.plan)
            told = (e.reason, e.reference, e.occurred_at)
            conn.execute(ADD_ENTRY, [*row, *days, *told])
        conn.execute(
            CHANGE_MEMBER,
            [
                after.balance, after.cycle_n, after.cycle_first_day,
                after.cycle_last_day, after.last_boundary_at,
                after.cycle_ended_at, after.renews_at, after.lapses_at,
                after.allowance_lot, after.last_seq, after.last_lot, member_id,
            ],
        )  # fmt: skip


def loop(conninfo: str) -> None:
    """A plain loop: find who is due, plan, BEGIN … COMMIT for each."""
    with connect(conninfo) as conn, psycopg.connect(conninfo) as writer:
        writer.autocommit = True
        plans = Plans(find_plans(conn))
        for members in find_due(conn):
            for member in members:
                post(writer, plan_posting(member, plans, utc(AS_OF)))


def set_based(conninfo: str) -> None:
    """One transaction for all of them, planned before: what nothing can pass."""
    with psycopg.connect(conninfo) as conn:
        for statement in (HERE / "set_based.sql").read_text().split(";\n"):
            if statement.strip():
                conn.execute(statement.encode())


def procedure(conninfo: str) -> None:
    """The posting procedure, fed with what was planned before, by two threads."""
    with connect(conninfo) as conn:
        buckets = [
            row["bucket"]
            for row in conn.execute("SELECT DISTINCT bucket FROM bench.work")
        ]
    threads = [
        threading.Thread(target=feed, args=(conninfo, buckets[place::2]))
        for place in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with connect(conninfo) as conn:
        conn.execute("SELECT pg_current_xact_id()")


FEED = "CALL renewer.post_batch(%s, %s::jsonb, 1, NULL)"


def feed(conninfo: str, buckets: list[int]) -> None:
    """Post what is planned for *buckets*, as text that was made before."""
    ask = (
        "SELECT min(member_id) AS key, '[' || string_agg(posting::text, ',') || ']' "
        "AS text FROM (SELECT *, row_number() OVER (ORDER BY id) / %s AS batch "
        "FROM bench.work WHERE bucket = %s) AS w GROUP BY batch"
    )
    with connect(conninfo) as conn, connect(conninfo) as writer:
        for bucket in buckets:
            for row in conn.execute(ask, [BATCH, bucket]).fetchall():
                writer.execute(FEED, [row["key"], row["text"]])


def procrastinate(conninfo: str) -> None:
    """One job a member on Procrastinate: deferred in batches, eight at a time."""
    import procrastinate as queue

    async def work() -> None:
        app = queue.App(connector=queue.PsycopgConnector(conninfo=conninfo))
        pool = threading.local()
        with connect(conninfo) as conn:
            plans = Plans(find_plans(conn))
            due = [each.member_id for batch in find_due(conn) for each in batch]

        @app.task(name="renew")
        def renew(member_id: str) -> None:
            renew_one(pool, conninfo, plans, member_id)

        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            for first in range(0, len(due), 1000):
                rows = [{"member_id": each} for each in due[first : first + 1000]]
                await renew.batch_defer_async(*rows)
            await app.run_worker_async(
                wait=False, concurrency=8, install_signal_handlers=False
            )

    asyncio.run(work())


def pgqueuer(conninfo: str) -> None:
    """One job a member on PgQueuer: enqueued in batches, fifty taken at a time."""
    import asyncpg
    from pgqueuer import PgQueuer, Queries
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.models import Job
    from pgqueuer.types import QueueExecutionMode

    async def work() -> None:
        pool = threading.local()
        with connect(conninfo) as conn:
            plans = Plans(find_plans(conn))
            due = [each.member_id for batch in find_due(conn) for each in batch]
        at = conninfo_to_dict(conninfo)
        driver = AsyncpgDriver(
            await asyncpg.connect(
                host=at["host"], user=at["user"], database=at["dbname"]
            )
        )
        queue = Queries(driver)
        await queue.install()
        for first in range(0, len(due), 1000):
            ids = [each.encode() for each in due[first : first + 1000]]
            await queue.enqueue(["renew"] * len(ids), ids, [0] * len(ids))
        worker = PgQueuer(driver)

        @worker.entrypoint("renew")
        async def renew(job: Job) -> None:
            assert job.payload is not None
            member_id = job.payload.decode()
            await asyncio.to_thread(renew_one, pool, conninfo, plans, member_id)

        await worker.qm.run(mode=QueueExecutionMode.drain, batch_size=50)

    asyncio.run(work())


def renew_one(
    pool: threading.local, conninfo: str, plans: Plans, member_id: str
) -> None:
    """Read, plan and post one member, over the connection of this thread."""
    if not hasattr(pool, "conn"):
        pool.conn = connect(conninfo)
    (member,) = find_members(pool.conn, [member_id])
    post(pool.conn, plan_posting(member, plans, utc(AS_OF)))


CONTESTANTS: dict[str, Callable[[str], None]] = {
    "renewer": renewer,
    "pgbench, 8 clients": pgbench(8, synchronous=True),
    "pgbench, 16 clients": pgbench(16, synchronous=True),
    "pgbench, 8 clients, asynchronous": pgbench(8, synchronous=False),
    "pgbench, 16 clients, asynchronous": pgbench(16, synchronous=False),
    "a psycopg loop": by_itself("loop"),
    "the procedure alone": by_itself("procedure"),
    "one set-based transaction": by_itself("set_based"),
    "Procrastinate": by_itself("procrastinate"),
    "PgQueuer": by_itself("pgqueuer"),
}
"""By the name they have in the table; a queue only where it is installed."""
NEEDED = {"Procrastinate": "procrastinate", "PgQueuer": "pgqueuer"}


def installed() -> dict[str, Callable[[str], None]]:
    """Return who can take part here."""
    return {
        name: run
        for name, run in CONTESTANTS.items()
        if name not in NEEDED or find_spec(NEEDED[name]) is not None
    }


if __name__ == "__main__":
    {
        "loop": loop,
        "procedure": procedure,
        "set_based": set_based,
        "procrastinate": procrastinate,
        "pgqueuer": pgqueuer,
    }[sys.argv[1]](sys.argv[2])
