"""How long one member with a very long past holds up the others of their bucket."""

from argparse import Namespace

from renewer.store.connection import connect
from tests.bench import growth, large
from tests.bench.commands import Measured
from tests.bench.server import Server, serve
from tests.bench.tables import Plot, Table

LOTS, ENTRIES = 100_000, 1_000_000
HEAVY = "m00000000"
SHAPES = {
    "as the others": (),
    f"{LOTS:,} lots": (
        "INSERT INTO renewer.lot (member_id, number, source, remaining, issued_at) "
        f"SELECT '{HEAVY}', 6 + n, 'purchase', 1, '2026-03-20' "
        f"FROM generate_series(1, {LOTS}) AS n",
        "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, "
        "balance_after, lot, reference, occurred_at) "
        f"SELECT '{HEAVY}', 11 + n, 'purchase', 1, 60 + n, 6 + n, 'b' || n, "
        f"'2026-03-20' FROM generate_series(1, {LOTS}) AS n",
        f"UPDATE renewer.member SET balance = 60 + {LOTS}, last_seq = 11 + {LOTS}, "
        f"last_lot = 6 + {LOTS} WHERE member_id = '{HEAVY}'",
    ),
    f"{ENTRIES:,} entries": (
        "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, "
        "balance_after, lot, reference, occurred_at) "
        f"SELECT '{HEAVY}', 11 + n, 'adjustment', CASE mod(n, 2) WHEN 1 THEN 1 ELSE -1 "
        "END, 60 + mod(n, 2), 6, 'b' || n, '2026-03-20' "
        f"FROM generate_series(1, {ENTRIES}) AS n",
        f"UPDATE renewer.member SET last_seq = 11 + {ENTRIES} "
        f"WHERE member_id = '{HEAVY}'",
    ),
}
"""What makes one member heavy."""


def run(given: Namespace) -> None:
    """Measure a pass in which one of those who are due has a very long past."""
    table = Table(
        "heavy",
        ("one member has", "due", "seconds of the pass", "MB at most"),
        Plot("A pass in which one member has a very long past", 0, (2,), bars=True),
    )
    with serve(given.keep) as server:
        growth.tell_place(server)
        for shape, steps in SHAPES.items():
            conninfo = build(server, given.due, steps)
            renewer = Measured(conninfo)
            seconds = growth.renew(renewer, 0, given.due)
            table.rows.append((shape, given.due, seconds, renewer.peak_kb / 1024))
            server.drop("renewer_heavy")
    table.show(given.plots)


def build(server: Server, due: int, steps: tuple[str, ...]) -> str:
    """Make a marketplace in which *due* are due at once, after some *steps*."""
    conninfo = large.build(server, due, due, "renewer_heavy")
    with connect(conninfo) as conn:
        for step in steps:
            conn.execute(step.encode())
        conn.execute("VACUUM ANALYZE")
    return conninfo
