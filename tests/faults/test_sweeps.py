"""A1 and G1. Each command that writes is killed in its calls of the server."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from renewer.rules.ledger import CatchUp
from renewer.store import migrations
from renewer.store.connection import Database, read_clock
from renewer.store.members import count_due, count_members
from tests.faults.scene import (
    AS_OF,
    LINES,
    at_work,
    ended,
    set_scene,
    started,
    until,
)
from tests.support import (
    HEADER,
    bring_in,
    ledger,
    load_plans,
    renew,
    repair,
    violations,
)

IMPORTED = "2016-03-01T00:00"
FROM, TO = date(2016, 3, 1), date(2016, 4, 30)


class Command(NamedTuple):
    """
    A command to be killed: its *arguments*, what is there *before* it, and what ends
    its work *after* it was killed. *send* and *receive* are one of its calls each.
    """

    arguments: list[str]
    before: Callable[[str, Database], None]
    after: Callable[[str, Database], None]
    send: int
    receive: int


def have_members(_database: str, conn: Database) -> None:
    set_scene(conn)


def have_plans(database: str, conn: Database) -> None:
    have_members(database, conn)
    conn.execute("TRUNCATE renewer.member, renewer.lot, renewer.ledger_entry")


def have_gaps(database: str, conn: Database) -> None:
    """Boundaries that were missed and caught up with 0."""
    have_members(database, conn)
    renew(database, AS_OF, catch_up=CatchUp.LATEST)


def have_nothing(_database: str, conn: Database) -> None:
    conn.execute("DROP SCHEMA IF EXISTS renewer CASCADE")


def finish_now(database: str, _conn: Database) -> None:
    renew(database, datetime.now(UTC).isoformat()[:19])


def finish_backfill(database: str, _conn: Database) -> None:
    repair(database, AS_OF, FROM, TO)


def finish_import(_database: str, conn: Database) -> None:
    """All are there, or nobody is, and then the file is brought in once more."""
    found = count_members(conn)
    assert found in (0, len(LINES))
    if not found:
        bring_in(conn, LINES, IMPORTED)


def finish_migration(database: str, conn: Database) -> None:
    migrations.migrate(database, roles=True)
    assert migrations.migrate(database) == []
    load_plans(conn)


COMMANDS = {
    "worker": Command(["worker"], have_members, finish_now, 6, 14),
    "backfill": Command(
        ["backfill", "--from", str(FROM), "--to", str(TO), "--as-of", AS_OF],
        have_gaps,
        finish_backfill,
        6,
        12,
    ),
    "import": Command(
        ["import", "--as-of", IMPORTED, "members.csv"],
        have_plans,
        finish_import,
        8,
        16,
    ),
    "migrate": Command(["migrate", "--roles"], have_nothing, finish_migration, 20, 60),
}


def kill_at(
    database: str, conn: Database, arguments: list[str], inject: str, cwd: Path
) -> int:
    """Run a command that is killed in the call *inject* names; return its code."""
    # The tracer is another process than the one that is started.
    strace = ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", inject)
    with started(database, *arguments, prefix=strace, cwd=cwd) as process:
        if arguments == ["worker"]:
            until(lambda: process.poll() is not None or due_now(conn) == 0)
            # Its last words are still to be said.
            try:
                return process.wait(0.3)
            except subprocess.TimeoutExpired:
                process.terminate()
        return ended(process).code


def due_now(conn: Database) -> int:
    return count_due(conn, read_clock(conn), None)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("trace", ["sendto", "recvfrom"])
@pytest.mark.parametrize("name", COMMANDS)
def test_a1_g1_a_command_may_be_killed_at_every_call(
    database: str,
    conn: Database,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    name: str,
    trace: str,
) -> None:
    """
    Killed in the n-th send or receive, it is repeated, and all is as if it had not
    been. One of its calls, or each of them with --long.
    """
    if shutil.which("strace") is None:
        pytest.skip("Debian's package strace is missing")
    command, long = COMMANDS[name], request.config.getoption("--long")
    (tmp_path / "members.csv").write_text("\n".join([HEADER, *LINES]))
    command.before(database, conn)
    command.after(database, conn)
    expected = ledger(conn)
    one = command.send if trace == "sendto" else command.receive
    codes = []
    for nth in range(1, 1000) if long else [one]:
        command.before(database, conn)
        inject = f"inject={trace}:signal=SIGKILL:when={nth}"
        codes.append(kill_at(database, conn, command.arguments, inject, tmp_path))
        until(lambda: not at_work(conn))
        command.after(database, conn)
        assert violations(conn) == []
        assert ledger(conn) == expected
        if codes[-1] == 0:
            break
    print(f"{name}: killed in {len(codes) - long} calls of {trace}")
    killed = codes[:-1] if long else codes
    assert set(killed) == {-signal.SIGKILL}
    assert codes[-1] == (0 if long else -signal.SIGKILL)
