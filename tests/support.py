"""
What several tests do: bring members in, run passes, read the ledger, call the command
line.
"""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any

from renewer import store
from renewer.answers.verification import Violation, find_violations
from renewer.jobs import backfill, passes, renewal
from renewer.jobs import importing as members
from renewer.jobs import plan_files as plans
from renewer.rules import cycle
from renewer.rules.ledger import CatchUp, Lot, Member, Source, Status
from renewer.rules.plans import Plans, Revision
from renewer.rules.repair import Repair
from renewer.worker.duties import Duties
from renewer.worker.liveness import Pulse
from renewer.worker.metrics import Metrics
from renewer.worker.presence import Presence
from renewer.worker.schedule import Signs

HEADER = "member_id,plan,anchor_on,timezone,status,balance"
ROOT = Path(__file__).parent.parent


MIGRATIONS = sorted(path.stem for path in (ROOT / "sql" / "migrations").glob("0*.sql"))


IN_MEMORY = Path("/dev/shm")
ROOM = 3 * 2**30


def quick_folder() -> Path:
    """
    Return where a test's server keeps its data.

    A database is some three hundred files, and making and dropping them for each test
    took a quarter of the suite: memory is ten times as quick, where there is room.
    """
    roomy = os.access(IN_MEMORY, os.W_OK) and disk_usage(IN_MEMORY).free > ROOM
    return IN_MEMORY if roomy else Path("/tmp")


def utc(text: str) -> datetime:
    """Return an instant; *text* is ISO 8601 without an offset."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


EPOCH = date(1970, 1, 1)
BASIC = Revision("basic", EPOCH, 60, 0)
PLUS = Revision("plus", EPOCH, 70, 140)
LIFETIME = Revision("lifetime", EPOCH, 10, None, 12)
PLANS = Plans([BASIC, PLUS, LIFETIME])


def member(
    plan: str,
    anchor_on: str,
    as_of: str,
    *,
    unused: Sequence[tuple[Source, int]] = (),
    **more: Any,
) -> Member:
    """
    Return a member in the cycle that contains *as_of*, with *unused* lots issued at the
    cycle's start.
    """
    anchor, timezone = date.fromisoformat(anchor_on), more.pop("timezone", "UTC")
    n = cycle.cycle_number(anchor, timezone, utc(as_of))
    issued_at = cycle.boundary(anchor, timezone, n)
    lots = tuple(
        Lot(i, source, left, issued_at, None)
        for i, (source, left) in enumerate(unused, 1)
    )
    renews_at = cycle.boundary(anchor, timezone, n + 1)
    balance = sum(lot.remaining for lot in lots)
    status = more.pop("status", Status.ACTIVE)
    state = {"last_seq": len(lots), "last_lot": len(lots), "lots": lots} | more
    return Member(
        "m", 0, plan, anchor, timezone, status, balance, n, renews_at, **state
    )


def load_plans(conn: store.Database, preset: str = "upwork-2016") -> None:
    """Put a preset's plans on record."""
    plans.record_plans(conn, plans.read_plans(preset))


def bring_in(conn: store.Database, lines: Sequence[str], as_of: str) -> None:
    """
    Import members.

    Each line is a row of the CSV file, whose last fields may be left out.
    """
    text = "\n".join(
        [
            HEADER,
            *(line + "," * (HEADER.count(",") - line.count(",")) for line in lines),
        ]
    )
    known = Plans(store.find_plans(conn))
    bad: list[tuple[int, str]] = []
    done = members.import_members(
        conn,
        io.BytesIO(text.encode()),
        known,
        utc(as_of),
        on_bad=lambda line, reason: bad.append((line, reason)),
    )
    assert not bad
    assert done.imported == len(lines)


def renew(
    conninfo: str, as_of: str, *, catch_up: CatchUp = CatchUp.EACH, **more: Any
) -> passes.PassReport:
    """Run one pass."""
    options = passes.Options(
        catch_up, more.pop("threads", 2), more.pop("batch_size", 500)
    )
    return renewal.renew_due(
        partial(store.connect, conninfo), as_of=utc(as_of), options=options, **more
    )


def repair(
    conninfo: str,
    as_of: str,
    start: date = date(2016, 1, 1),
    end: date = date(2016, 12, 31),
    **more: Any,
) -> passes.PassReport:
    """Run one backfill."""
    members, dry_run = more.pop("members", None), more.pop("dry_run", False)
    options = passes.Options(batch_size=more.pop("batch_size", 2))
    return backfill.backfill(
        partial(store.connect, conninfo),
        Repair(start, end, **more, named=members is not None),
        as_of=utc(as_of),
        options=options,
        members=members,
        dry_run=dry_run,
        stop=threading.Event(),
        progress=lambda _: None,
        report=lambda _: None,
    )


def ledger(conn: store.Database) -> list[tuple[Any, ...]]:
    """Return all of the ledger that does not depend on when it was written."""
    rows = conn.execute(
        """
        SELECT member_id, seq, kind, amount, balance_after, lot, first_day, anchor_on,
               cycle_n, plan, reason, occurred_at
        FROM renewer.ledger_entry ORDER BY member_id, seq
        """
    )
    lots = conn.execute(
        "SELECT member_id, number, source, remaining, issued_at, expires_at "
        "FROM renewer.lot ORDER BY 1, 2"
    )
    state = conn.execute(
        "SELECT member_id, balance, cycle_n, renews_at, due_at, last_seq, last_lot "
        "FROM renewer.member ORDER BY 1"
    )
    return [tuple(row.values()) for cursor in (rows, lots, state) for row in cursor]


def statement(conn: store.Database, member_id: str) -> list[tuple[str, int, int]]:
    """Return kind, amount and balance_after of each of a member's entries."""
    return [
        (row["kind"], row["amount"], row["balance_after"])
        for row in store.find_entries(conn, member_id)
    ]


def signs(connect: Callable[[], store.Database], stop: threading.Event) -> Signs:
    """Return what a worker shows of itself when nobody looks."""
    pulse = Pulse()
    presence, duties = Presence(connect, "off"), Duties(connect, 400, stop)
    return Signs(pulse, Metrics(pulse, connect), presence, duties, "off")


def violations(conn: store.Database) -> list[Violation]:
    """Return what `renewer verify` would name."""
    return list(find_violations(conn))


def broken_members(conn: store.Database) -> list[Violation]:
    """Return what `renewer verify` would name, the schema's drift aside."""
    return [each for each in find_violations(conn) if each.member_id is not None]


def find_neighbours(conn: store.Database, count: int) -> list[str]:
    """Return names of *count* members of one bucket."""
    rows = conn.execute(
        "SELECT 'm' || n AS member_id FROM generate_series(1, 10000) AS n "
        "WHERE renewer.bucket_of('m' || n) = 1 ORDER BY n LIMIT %s",
        [count],
    )
    return [row["member_id"] for row in rows]


def command(
    conninfo: str, *arguments: str, **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run the real command line against a database."""
    env = (
        os.environ
        | {"RENEWER_DATABASE_URL": conninfo, "NO_COLOR": "1"}
        | more.pop("env", {})
    )
    return subprocess.run(
        [sys.executable, "-m", "renewer", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=env,
        timeout=more.pop("timeout", 120),
        **more,
    )


def documents(conninfo: str, *arguments: str, **more: Any) -> Any:
    """Run a command with --json and return its document."""
    done = command(conninfo, *arguments, "--json", **more)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)
