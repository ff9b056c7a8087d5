"""What a setting of the server, or of renewer, is worth to a pass."""

from argparse import Namespace
from collections.abc import Mapping
from functools import partial
from statistics import median

from tests.bench import growth, large
from tests.bench.commands import Measured
from tests.bench.server import SETTINGS, serve, stored
from tests.bench.tables import Plot, Table

Settings = Mapping[str, str]
CHOICES: dict[str, tuple[Settings, Settings]] = {
    "as it comes": ({}, {}),
    "wal_compression = pglz": ({"wal_compression": "pglz"}, {}),
    "shared_buffers = 128MB": ({"shared_buffers": "128MB"}, {}),
    "max_wal_size = 1GB": ({"max_wal_size": "1GB"}, {}),
    "RENEWER_BATCH_SIZE=100": ({}, {"RENEWER_BATCH_SIZE": "100"}),
    "RENEWER_BATCH_SIZE=2000": ({}, {"RENEWER_BATCH_SIZE": "2000"}),
    "RENEWER_THREADS=1": ({}, {"RENEWER_THREADS": "1"}),
    "RENEWER_THREADS=4": ({}, {"RENEWER_THREADS": "4"}),
}
"""By what they are called in the table: settings of the server, and of renewer."""


def run(given: Namespace) -> None:
    """Measure passes with one setting changed at a time."""
    (size,) = given.sizes or (1_000_000,)
    table = Table(
        "choices",
        ("with", "due", "seconds", "CPU µs a member", "bytes of WAL a member"),
        Plot("What a setting is worth", 0, (3,), bars=True),
    )
    with stored(given.keep) as folder:
        for number, (name, (of_server, of_renewer)) in enumerate(CHOICES.items()):
            with serve(folder, SETTINGS | of_server) as server:
                if number == 0:
                    growth.tell_place(server)
                conninfo = large.build(server, size, given.due)
                renewer = Measured(conninfo, **of_renewer)
                took, cpu_us, wal = [], [], []
                for _ in range(given.rounds):
                    pass_ = partial(
                        growth.renew, renewer, large.next_hour(conninfo), given.due
                    )
                    before = server.wal_bytes()
                    seconds, cost = server.measure(pass_)
                    took.append(seconds)
                    cpu_us.append(cost.cpu_s / given.due * 1e6)
                    wal.append((server.wal_bytes() - before) / given.due)
                figures = median(took), median(cpu_us), median(wal)
                table.rows.append((name, given.due, *figures))
    table.show(given.plots)
