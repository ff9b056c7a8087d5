"""What is done for many members at once, and what a pass beside it loses."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench import growth, large
from tests.bench.commands import Command, Measured
from tests.bench.generate import generate
from tests.bench.server import Server, serve
from tests.bench.tables import Plot, Table

BESIDE = "renewer_beside"
SKIPPED = "2025-03-15", "2026-03-15"
"""The year whose boundaries a backfill makes up for."""
COMMANDS = "backfill", "import", "audit", "verify"
MOST_PASSES = 3


def add_options(parser: ArgumentParser) -> None:
    """Say what may be asked for."""
    growth.add_options(parser)
    parser.add_argument("--repaired", type=int, default=100_000, help="by a backfill")
    parser.add_argument(
        "--only", choices=COMMANDS, action="append", help="a command; repeatable"
    )


@dataclass(frozen=True)
class Bulk:
    """A command on a database, and of how many things of a kind."""

    what: str
    conninfo: str
    command: Sequence[str]
    count: int


def run(given: Namespace) -> None:
    """Measure an import, a backfill, an audit and a verification of everything."""
    (size,) = given.sizes or (10_000_000,)
    table = Table(
        "bulk",
        (
            "what", "of", "seconds", "a second", "MB at most",
            "a pass alone, members/s", "beside it",
        ),
        Plot("A pass alone and beside bulk work", 0, (5, 6), bars=True),
    )  # fmt: skip
    wanted = given.only or COMMANDS
    with serve(given.keep) as server, TemporaryDirectory() as folder:
        growth.tell_place(server)
        file = Path(folder) / "members.csv"
        small = whole = ""
        if {"backfill", "import"} & set(wanted):
            small = build_beside(server, file, size, given)
        if {"audit", "verify"} & set(wanted):
            whole = large.build_past(server, size, given.due)
        imported = "import", str(file), "--as-of", "2026-04-20"
        backfill = "backfill", "--from", SKIPPED[0], "--to", SKIPPED[1]
        audit = "audit", "--from", "2026-01-01", "--to", "2026-01-31", "--json"
        for bulk in (
            Bulk("boundaries, `backfill`", small, backfill, given.repaired * 12),
            Bulk("members, `import`", small, imported, size),
            Bulk("cycles, `audit` of a month", whole, audit, size),
            Bulk("members, `verify`", whole, ("verify", "--json"), size),
        ):
            if bulk.command[0] in wanted:
                table.rows.append(measure(server, bulk))
                table.show(None)
    table.show(given.plots)
    print("\nOf the members verified each has eleven entries and six lots or more.")


def build_beside(server: Server, file: Path, size: int, given: Namespace) -> str:
    """Make a small marketplace in which a year was skipped, and *file* for it."""
    server.drop(BESIDE)
    conninfo = large.build(server, given.due * 24, given.due, BESIDE)
    renewer = Measured(conninfo)
    write(file, generate(given.repaired, "skipped"))
    renewer.run("import", str(file), "--as-of", SKIPPED[0])
    renewer.run("run", "--as-of", "2026-04-01", "--catch-up", "latest")
    write(file, generate(size, "imported"))
    return conninfo


def write(file: Path, lines: Iterable[str]) -> None:
    """Write lines, none of which are held."""
    with file.open("w") as out:
        out.writelines(f"{line}\n" for line in lines)


def measure(server: Server, bulk: Bulk) -> tuple[int | float | str, ...]:
    """Return the row of one command, alone and beside passes."""
    renewer = Measured(bulk.conninfo)
    renew_next(renewer)  # it finds nothing in memory
    alone = renew_next(renewer)
    done: list[tuple[int, list[float]]] = []
    _, cost = server.measure(partial(run_beside, bulk, done))
    ((peak_kb, rates),) = done
    beside = median(rates) if rates else "too short"
    return (
        bulk.what, bulk.count, cost.seconds, bulk.count / cost.seconds,
        peak_kb / 1024, alone, beside,
    )  # fmt: skip


def run_beside(bulk: Bulk, done: list[tuple[int, list[float]]]) -> None:
    """Run a command, and some passes while it runs."""
    command, rates = Command(bulk.conninfo, *bulk.command), []
    renewer = Measured(bulk.conninfo)
    while command.process.poll() is None and len(rates) < MOST_PASSES:
        rate = renew_next(renewer)
        if command.process.poll() is None:
            rates.append(rate)
    _, peak_kb = command.end()
    done.append((peak_kb, rates))


def renew_next(renewer: Measured) -> float:
    """Run the pass of the next hour; return members a second."""
    hour = large.hour(large.next_hour(renewer.conninfo))
    told = json.loads(renewer.run("run", "--as-of", hour.isoformat(), "--json"))
    return float(told["renewed"] / told["seconds"])
