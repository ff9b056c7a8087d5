"""
How a pass grows: with the members there are, with those who are due, with the ledger.

Each pass is a command, right after a checkpoint, so that every page it touches is
written whole. Its seconds are those it tells itself, the CPU is that of the command
from its start. Of passes hour by hour the first, which finds least in memory, is told
apart. Among ever more members all take turns, once the system has read all of them.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from tests.bench import large
from tests.bench.commands import Measured
from tests.bench.server import Server, serve
from tests.bench.tables import Plot, Table

DUE = 20_000
ROUNDS = 3
FIGURES = (
    "due", "first, s", "seconds", "from–to", "CPU µs a member", "bytes of WAL a member",
    "MB at most",
)  # fmt: skip
"""What measure() returns of each."""


def add_options(parser: ArgumentParser) -> None:
    """Say what may be asked for."""
    parser.add_argument(
        "--sizes", type=int, nargs="+", help="members, or members due; several"
    )
    parser.add_argument("--due", type=int, default=DUE, help="members due in an hour")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--keep", type=Path, help="a folder that keeps the databases")
    parser.add_argument("--plots", type=Path, help="a folder for the plots")


def members(given: Namespace) -> None:
    """Measure passes over the same number of due members among ever more of them."""
    table = Table(
        "members",
        ("members", *FIGURES),
        Plot("Seconds of a pass over the same number due", 0, (3,)),
    )
    with serve(given.keep) as server:
        tell_place(server)
        sizes = given.sizes or (100_000, 1_000_000, 10_000_000)
        built = [large.build(server, size, given.due) for size in sizes]
        for conninfo in built:
            server.recall(conninfo)
        figures = measure(server, [Measured(each) for each in built], given)
        table.rows += [(size, *row) for size, row in zip(sizes, figures, strict=True)]
    table.show(given.plots)


def due(given: Namespace) -> None:
    """Measure one pass over ever more members, all of them due."""
    table = Table(
        "due",
        ("due", "seconds", "members/s", "CPU µs a member", "MB at most"),
        Plot("Members renewed a second, all due in one pass", 0, (2,)),
    )
    with serve(given.keep) as server:
        tell_place(server)
        for size in given.sizes or (10_000, 100_000, 1_000_000):
            conninfo = large.build(server, size, size)
            renewer = Measured(conninfo)
            seconds, cost = server.measure(partial(renew, renewer, 0, size))
            cpu_us, mb = cost.cpu_s / size * 1e6, renewer.peak_kb / 1024
            table.rows.append((size, seconds, size / seconds, cpu_us, mb))
            table.show(None)
            server.drop(f"renewer_{size}_{size}")
    table.show(given.plots)


def ledger(given: Namespace) -> None:
    """
    Measure passes where the members' past is on record, and where it is not.

    One after the other: both together do not fit into the memory of a small machine.
    """
    table = Table(
        "ledger",
        ("entries before", *FIGURES),
        Plot("Seconds of a pass, on a ledger that grows", 0, (3,), logarithmic=False),
    )
    (size,) = given.sizes or (10_000_000,)
    with serve(given.keep) as server:
        tell_place(server)
        small = large.build(server, size, given.due)
        grown = large.build_past(server, size, given.due)
        for conninfo, entries in ((small, 1), (grown, 1 + large.PAST_ENTRIES)):
            (figures,) = measure(server, [Measured(conninfo)], given)
            table.rows.append((size * entries, *figures))
    table.show(given.plots)


def measure(
    server: Server, renewers: Sequence[Measured], given: Namespace
) -> list[tuple[int, float, float, str, float, float, float]]:
    """
    Measure the passes of the next hours, each renewer's in turn.

    Return of each how many were due in each, the seconds of the first, and of those
    after it seconds, their spread, CPU, WAL and memory.
    """
    series = [Series(renewer) for renewer in renewers]
    for _ in range(1 + given.rounds):
        for each in series:
            each.measure_next(server, given.due)
    return [each.figures(given.due) for each in series]


class Series:
    """Passes of one renewer, hour by hour."""

    def __init__(self, renewer: Measured) -> None:
        self._renewer = renewer
        self._seconds: list[float] = []
        self._cpu_us: list[float] = []
        self._wal: list[float] = []

    def measure_next(self, server: Server, due: int) -> None:
        """Measure the pass of the next hour."""
        hour = large.next_hour(self._renewer.conninfo)
        pass_ = partial(renew, self._renewer, hour, due)
        before = server.wal_bytes()
        seconds, cost = server.measure(pass_)
        self._seconds.append(seconds)
        self._cpu_us.append(cost.cpu_s / due * 1e6)
        self._wal.append((server.wal_bytes() - before) / due)

    def figures(self, due: int) -> tuple[int, float, float, str, float, float, float]:
        """Return the FIGURES."""
        first, *rest = self._seconds
        return (
            due, first, median(rest), spread(rest), median(self._cpu_us[1:]),
            median(self._wal[1:]), self._renewer.peak_kb / 1024,
        )  # fmt: skip


def spread(seconds: Sequence[float]) -> str:
    """Return the shortest and the longest."""
    return f"{min(seconds):.2f}–{max(seconds):.2f}"


def renew(renewer: Measured, hour: int, due: int) -> float:
    """Run the pass of an hour in which *due* are due; return its seconds."""
    # Databases that are kept come to hours that the clock has not reached.
    when = large.hour(hour).isoformat()
    done = renewer.read("run", "--as-of", when, "--allow-future")
    assert done["renewed"] == due, done
    seconds: float = done["seconds"]
    return seconds


def tell_place(server: Server) -> None:
    """Print what is measured on."""
    for line in server.describe():
        print(f"- {line}", flush=True)
