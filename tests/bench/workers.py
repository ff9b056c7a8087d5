"""
How a pass grows with its workers: as threads of one process, and as processes.

`python -m tests.bench workers` prints the table. Each pass is a process of its own, so
that its CPU is known: `python -m tests.bench.workers CONNINFO BATCH THREADS PROCESSES`.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from renewer.jobs.parallel import BATCHES_PER_PROCESS
from renewer.jobs.pass_request import HelperSettings, PassOptions, PassRequest
from renewer.jobs.renewal import renew_due
from renewer.store.connection import connect
from tests.bench.compare import MEMBERS, ROUNDS
from tests.bench.scene import AS_OF, BATCH, Ground, Round, ground
from tests.bench.tables import Plot, Table
from tests.support import ROOT, utc

WORKERS = (1, 2, 4, 8)
PATIENCE_S = 240.0


@dataclass
class Row:
    """
    What so many workers did, as *threads* of so many *processes*, round by round.

    *twice* is how many members were taken up by two of them: those who were planned
    anew, or skipped.
    """

    threads: int
    processes: int
    rounds: list[Round] = field(default_factory=list)
    twice: int = 0

    @property
    def workers(self) -> int:
        """How many there were in all."""
        return self.threads * self.processes

    @property
    def rate(self) -> float:
        """Members a second."""
        return median(each.rate for each in self.rounds)

    @property
    def cpu_us(self) -> float:
        """Microseconds of the CPU a member."""
        return median(each.cpu_us for each in self.rounds)


def add_options(parser: ArgumentParser) -> None:
    """Say what may be asked for."""
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--plots", type=Path, help="a folder for the plot")


def run(given: Namespace) -> None:
    """Measure passes of ever more workers, and print a table in Markdown."""
    with ground() as here:
        here.fill(given.members)
        for line in here.describe():
            print(f"- {line}")
        make_table(measure_workers(here, given.rounds)).show(given.plots)


def make_table(rows: Sequence[Row]) -> Table:
    """Return what the *rows* say, the first of them one worker's."""
    names = (
        "workers", "as", "members/s", "from–to", "of one's", "CPU µs a member",
        "taken up twice",
    )  # fmt: skip
    plot = Plot("A pass of several workers", 0, (2,), logarithmic=False, by=1)
    table = Table("workers", names, plot)
    for row in rows:
        rates = sorted(each.rate for each in row.rounds)
        table.rows.append(
            (
                row.workers,
                "processes" if row.processes > 1 else "threads",
                row.rate,
                f"{rates[0]:,.0f}–{rates[-1]:,.0f}",
                row.rate / rows[0].rate,
                row.cpu_us,
                row.twice,
            )
        )
    return table


def measure_workers(
    here: Ground, rounds: int, workers: Sequence[int] = WORKERS
) -> list[Row]:
    """Let so many *workers* renew everybody, round by round in turns."""
    rows = [Row(each, 1) for each in workers]
    rows += [Row(1, each) for each in workers if each > 1]
    # All of the same size, so that there are batches enough for each process.
    batch = max(1, min(BATCH, here.members // (BATCHES_PER_PROCESS * max(workers))))
    for number in range(rounds):
        order = rows if number % 2 == 0 else rows[::-1]
        for row in order:
            row.rounds.append(here.measure(partial(renew, row=row, batch=batch)))
            told = f"{row.threads} x {row.processes}: {row.rounds[-1].rate:,.0f}/s"
            print(told, file=sys.stderr, flush=True)
    return rows


def renew(conninfo: str, *, row: Row, batch: int) -> None:
    """Run a pass in a process of its own, and count whom it took up twice."""
    sizes = (batch, row.threads, row.processes)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.workers", conninfo, *map(str, sizes)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    row.twice += json.loads(done.stdout)


def main(conninfo: str, batch: int, threads: int, processes: int) -> None:
    """Renew everybody, and print how many members were taken up twice."""
    helpers = HelperSettings(processes, conninfo, PATIENCE_S)
    options = PassOptions(threads=threads, batch_size=batch, helpers=helpers)
    report = renew_due(
        partial(connect, conninfo, patience_s=PATIENCE_S),
        PassRequest(utc(AS_OF), options),
    )
    assert (report.left, report.counts.failed) == (0, 0)
    print(report.counts.skipped + report.counts.conflicts)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
