"""What a setting of the server, or of renewer, is worth to a pass."""

from argparse import Namespace
from collections.abc import Mapping

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
        ("with", *growth.FIGURES),
        Plot("What a setting is worth", 0, (5,), bars=True),
    )
    with stored(given.keep) as folder:
        for number, (name, (of_server, of_renewer)) in enumerate(CHOICES.items()):
            with serve(folder, SETTINGS | of_server) as server:
                if number == 0:
                    growth.tell_place(server)
                conninfo = large.build(server, size, given.due)
                renewer = Measured(conninfo, **of_renewer)
                (figures,) = growth.measure(server, [renewer], given)
                table.rows.append((name, *figures))
    table.show(given.plots)
