"""
What several tests do: bring members in, run passes, read the ledger, call the command
line.
"""

import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any

import psycopg
import pytest

from renewer.answers.verification import Violation, find_violations
from renewer.jobs import backfill, importing, plan_files, renewal
from renewer.jobs.counts import BatchResult, Counts
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.jobs.recorder import SILENT, PassObserver, PassReport
from renewer.rules.backfill import Backfill
from renewer.rules.calendar import Calendar
from renewer.rules.ledger import Lot, Member, Source, Status
from renewer.rules.plans import Plans, Revision
from renewer.store import connection
from renewer.store.connection import Database
from renewer.store.history import find_entries
from renewer.store.revisions import find_plans
from renewer.worker.duties import Duties
from renewer.worker.liveness import Pulse
from renewer.worker.metrics import Metrics
from renewer.worker.presence import Presence
from renewer.worker.schedule import Signs

HEADER = "member_id,plan,anchor_on,timezone,status,balance"
ROOT = Path(__file__).parent.parent


MIGRATIONS = sorted(path.stem for path in (ROOT / "sql" / "migrations").glob("0*.sql"))


def read_statement(path: str) -> str:
    """Return a file of sql/ without its comments and its texts."""
    text = re.sub("--.*", "", (ROOT / "sql" / path).read_text(encoding="utf-8"))
    return re.sub("'[^']*'", "''", text)


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
    calendar = Calendar(anchor, timezone)
    n = calendar.number_at(utc(as_of))
    issued_at = calendar.boundary(n)
    lots = tuple(
        Lot(i, source, left, issued_at, None)
        for i, (source, left) in enumerate(unused, 1)
    )
    renews_at = calendar.boundary(n + 1)
    balance = sum(lot.remaining for lot in lots)
    status = more.pop("status", Status.ACTIVE)
    state = {
        "last_seq": len(lots),
        "last_lot": len(lots),
        "lots": lots,
        "cycle_first_day": calendar.first_day(n),
        "cycle_last_day": calendar.last_day(n),
    } | more
    return Member(
        "m", 0, plan, anchor, timezone, status, balance, n, renews_at, **state
    )


def load_plans(conn: Database, preset: str = "upwork-2016") -> None:
    """Put a preset's plans on record."""
    plan_files.record_plans(conn, plan_files.read_plans(preset))


def bring_in(conn: Database, lines: Sequence[str], as_of: str) -> None:
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
    known = Plans(find_plans(conn))
    bad: list[tuple[int, str]] = []
    done = importing.import_members(
        conn,
        io.BytesIO(text.encode()),
        known,
        utc(as_of),
        on_bad=lambda line, reason: bad.append((line, reason)),
    )
    assert not bad
    assert done.imported == len(lines)


class BatchCallback(PassObserver):
    """Calls a function with the number of members taken up by each batch."""

    def __init__(self, call: Callable[[int], object]) -> None:
        self._call = call

    def batch_done(self, batch: BatchResult) -> None:
        """Call the function."""
        self._call(batch.counts.due)


def counted(**numbers: int) -> dict[str, int]:
    """Return the counts of a run; those that are not given are 0."""
    return Counts().as_dict() | numbers


def renew(conninfo: str, as_of: str, **more: Any) -> PassReport:
    """
    Run one pass.

    *progress* is called after each batch; *stop* and *observer* are as in `renew_due`,
    other arguments are fields of the request or its options.
    """
    observer, stop = more.pop("observer", SILENT), more.pop("stop", None)
    if "progress" in more:
        observer = BatchCallback(more.pop("progress"))
    names = ("catch_up", "threads", "batch_size", "helpers")
    options = PassOptions(**{name: more.pop(name) for name in names if name in more})
    request = PassRequest(utc(as_of), options, **more)
    return renewal.renew_due(
        partial(connection.connect, conninfo), request, stop, observer
    )


def repair(
    conninfo: str,
    as_of: str,
    start: date = date(2016, 1, 1),
    end: date = date(2016, 12, 31),
    **more: Any,
) -> PassReport:
    """Run one backfill."""
    members, dry_run = more.pop("members", None), more.pop("dry_run", False)
    options = PassOptions(batch_size=more.pop("batch_size", 2))
    return backfill.backfill(
        partial(connection.connect, conninfo),
        Backfill(start, end, **more, named=members is not None),
        PassRequest(utc(as_of), options, members=members, dry_run=dry_run),
    )


def ledger(conn: Database) -> list[tuple[Any, ...]]:
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


def statement(conn: Database, member_id: str) -> list[tuple[str, int, int]]:
    """Return kind, amount and balance_after of each of a member's entries."""
    return [
        (row["kind"], row["amount"], row["balance_after"])
        for row in find_entries(conn, member_id)
    ]


class Marketplace:
    """Calls the SQL functions, as an application does."""

    def __init__(self, conn: Database, database: str = "") -> None:
        self.conn = conn
        self.database = database

    def call(self, function: str, *arguments: Any, **named: Any) -> tuple[Any, ...]:
        """Call a function and return its row; a time without an offset is UTC."""
        given = ["%s"] * len(arguments) + [f"{name} => %s" for name in named]
        row = self.conn.execute(
            f"SELECT * FROM renewer.{function}({', '.join(given)})",
            [*arguments, *named.values()],
        ).fetchone()
        assert row is not None
        assert list(row) == ["balance", "first_seq", "last_seq", "repeated"]
        return tuple(row.values())

    def run(self, at: str, **more: Any) -> dict[str, int]:
        """Run a pass and return its counts."""
        return renew(self.database, at, **more).counts.as_dict()

    def entries(self, member_id: str = "m") -> list[tuple[str, int, int]]:
        """Return kind, amount and balance_after of each of a member's entries."""
        return statement(self.conn, member_id)

    def lots(self, member_id: str = "m") -> list[tuple[str, int]]:
        """Return source and remainder of each of a member's lots."""
        rows = self.conn.execute(
            "SELECT source, remaining FROM renewer.lot "
            "WHERE member_id = %s ORDER BY number",
            [member_id],
        )
        return [(row["source"], row["remaining"]) for row in rows]

    def member(self, member_id: str = "m") -> dict[str, Any]:
        """Return a member's row."""
        row = self.conn.execute(
            "SELECT * FROM renewer.member WHERE member_id = %s", [member_id]
        ).fetchone()
        assert row is not None
        return row


@contextmanager
def refused(code: str, message: str | None = None) -> Iterator[None]:
    """Expect that a function refuses a call with this SQLSTATE, and this *message*."""
    with pytest.raises(psycopg.Error) as caught:
        yield
    told = caught.value.diag.message_primary or ""
    assert (caught.value.sqlstate, len(told) > 15) == (code, True)
    assert told == (message or told)


def signs(connect: Callable[[], Database], stop: threading.Event) -> Signs:
    """Return what a worker shows of itself when nobody looks."""
    pulse = Pulse()
    presence, duties = Presence(connect, "off"), Duties(connect, 400, stop)
    return Signs(pulse, Metrics(pulse, connect), presence, duties, "off")


def violations(conn: Database) -> list[Violation]:
    """Return what `renewer verify` would name."""
    return list(find_violations(conn))


def broken_members(conn: Database) -> list[Violation]:
    """Return what `renewer verify` would name, the schema's drift aside."""
    return [each for each in find_violations(conn) if each.member_id is not None]


def find_neighbours(conn: Database, count: int) -> list[str]:
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
