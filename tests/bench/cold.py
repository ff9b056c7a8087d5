"""How long a pass takes that finds nothing in memory: it waits for the disk."""

import os
from argparse import Namespace
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median

from tests.bench import growth, large
from tests.bench.commands import Measured
from tests.bench.server import serve, stored
from tests.bench.tables import Plot, Table

THREADS = 1, 2, 4, 8, 16


def run(given: Namespace) -> None:
    """Measure passes of ever more threads, with nothing in memory before each."""
    (size,) = given.sizes or (10_000_000,)
    table = Table(
        "cold",
        ("threads", "due", "seconds", "from–to", "CPU µs a member"),
        Plot("Seconds of a pass that finds nothing in memory", 0, (2,)),
    )
    with stored(given.keep) as folder:
        with serve(folder) as server:
            growth.tell_place(server)
            conninfo = large.build(server, size, given.due)
            hours = count(large.next_hour(conninfo))
        for threads in THREADS:
            took, cpu_us = [], []
            for _ in range(given.rounds):
                forget(folder)
                with serve(folder) as server:
                    renewer = Measured(conninfo, RENEWER_THREADS=str(threads))
                    pass_ = partial(growth.renew, renewer, next(hours), given.due)
                    seconds, cost = server.measure(pass_)
                took.append(seconds)
                cpu_us.append(cost.cpu_s / given.due * 1e6)
            figures = median(took), growth.spread(took), median(cpu_us)
            table.rows.append((threads, given.due, *figures))
    table.show(given.plots)


def forget(folder: Path) -> None:
    """Let the system forget what it has read of the files in *folder*."""
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)  # what is not written yet is not forgotten
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)
