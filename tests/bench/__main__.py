"""
`python -m tests.bench` compares renewer with what else would renew the same members,
`python -m tests.bench workers` a pass of many workers with that of one.

Rounds are interleaved on one server of its own, each on a new copy of the database.
CPU stands beside the clock, because a machine that is shared lies about the latter.
"""

import argparse
import sys
from statistics import median
from warnings import filterwarnings

from tests.bench.contestants import installed
from tests.bench.scene import Ground, Round, ground
from tests.bench.workers import measure_workers, print_workers

MEMBERS, ROUNDS = 30_000, 5


def main() -> None:
    """Measure, and print a table in Markdown."""
    filterwarnings("ignore")
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", default="others", choices=("others", "workers")
    )
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", action="append", help="a contestant; repeatable")
    given = parser.parse_args()
    runners = installed()
    if given.only:
        runners = {name: runners[name] for name in ["renewer", *given.only]}
    with ground() as here:
        here.fill(given.members)
        for line in here.describe():
            print(f"- {line}")
        if given.what == "workers":
            print_workers(measure_workers(here, given.rounds))
            return
        rounds: dict[str, list[Round]] = {name: [] for name in runners}
        for number in range(given.rounds):
            # Every second round goes the other way, so that nobody is always first.
            order = list(runners) if number % 2 == 0 else list(reversed(runners))
            for name in order:
                rounds[name].append(measure(here, name, runners[name]))
    print_table(rounds)


def measure(here: Ground, name: str, run: object) -> Round:
    """Return one round, and show it on stderr."""
    assert callable(run)
    took = here.measure(run)
    told = f"{name}: {took.rate:,.0f}/s, {took.cpu_us:,.0f} us"
    print(told, file=sys.stderr, flush=True)
    return took


def print_table(rounds: dict[str, list[Round]]) -> None:
    """Print the medians, the spread, and how many times renewer's each is."""
    ours = rounds["renewer"]
    rate, cpu = median_rate(ours), median_cpu(ours)
    print()
    print(
        "| who | members/s | from–to | renewer is | CPU µs a member | from–to | of it |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, took in rounds.items():
        rates = sorted(each.rate for each in took)
        used = sorted(each.cpu_us for each in took)
        print(
            f"| {name} | {median_rate(took):,.0f} | {rates[0]:,.0f}–{rates[-1]:,.0f} "
            f"| {rate / median_rate(took):.2f} × | {median_cpu(took):,.0f} "
            f"| {used[0]:,.0f}–{used[-1]:,.0f} | {cpu / median_cpu(took):.2f} × |"
        )


def median_rate(took: list[Round]) -> float:
    """Return members a second."""
    return median(each.rate for each in took)


def median_cpu(took: list[Round]) -> float:
    """Return microseconds of the CPU a member."""
    return median(each.cpu_us for each in took)


if __name__ == "__main__":
    main()
