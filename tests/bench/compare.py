"""
Compares renewer with what else would renew the same members.

Rounds are interleaved on one server of its own, each on a new copy of the database.
CPU stands beside the clock, because a machine that is shared lies about the latter.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from statistics import median

from tests.bench.contestants import installed
from tests.bench.scene import Ground, Round, ground
from tests.bench.tables import Plot, Table

MEMBERS, ROUNDS = 30_000, 5


def add_options(parser: ArgumentParser) -> None:
    """Say what may be asked for."""
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--plots", type=Path, help="a folder for the plot")
    parser.add_argument(
        "--only", action="append", choices=installed(), metavar="WHO",
        help="a contestant, as the table names it; repeatable",
    )  # fmt: skip


def run(given: Namespace) -> None:
    """Measure, and print a table in Markdown."""
    runners = installed()
    if given.only:
        runners = {name: runners[name] for name in ["renewer", *given.only]}
    with ground() as here:
        here.fill(given.members)
        for line in here.describe():
            print(f"- {line}")
        rounds: dict[str, list[Round]] = {name: [] for name in runners}
        for number in range(given.rounds):
            # Every second round goes the other way, so that nobody is always first.
            order = list(runners) if number % 2 == 0 else list(reversed(runners))
            for name in order:
                rounds[name].append(measure(here, name, runners[name]))
    make_table(rounds).show(given.plots)


def measure(here: Ground, name: str, run: object) -> Round:
    """Return one round, and show it on stderr."""
    assert callable(run)
    took = here.measure(run)
    told = f"{name}: {took.rate:,.0f}/s, {took.cpu_us:,.0f} us"
    print(told, file=sys.stderr, flush=True)
    return took


def make_table(rounds: dict[str, list[Round]]) -> Table:
    """Return the medians, the spread, and how many times renewer's each is."""
    names = (
        "who", "members/s", "from–to", "renewer is, ×", "CPU µs a member", "from–to",
        "of it, ×",
    )  # fmt: skip
    plot = Plot("Members renewed a second", 0, (1,), bars=True)
    table = Table("compare", names, plot)
    rate, cpu = median_rate(rounds["renewer"]), median_cpu(rounds["renewer"])
    for name, took in rounds.items():
        rates = sorted(each.rate for each in took)
        used = sorted(each.cpu_us for each in took)
        table.rows.append(
            (
                name,
                median_rate(took),
                f"{rates[0]:,.0f}–{rates[-1]:,.0f}",
                rate / median_rate(took),
                median_cpu(took),
                f"{used[0]:,.0f}–{used[-1]:,.0f}",
                cpu / median_cpu(took),
            )
        )
    return table


def median_rate(took: list[Round]) -> float:
    """Return members a second."""
    return median(each.rate for each in took)


def median_cpu(took: list[Round]) -> float:
    """Return microseconds of the CPU a member."""
    return median(each.cpu_us for each in took)
