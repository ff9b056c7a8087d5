"""What `python -m tests.bench` measures runs; all who are compared post the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import compare, workers
from tests.bench.contestants import installed
from tests.bench.scene import ground
from tests.bench.workers import WORKERS, measure_workers
from tests.support import ROOT


@pytest.mark.timeout(600)
def test_everybody_posts_the_same(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """
    Few members, one round; a row for each in the table.

    Of workers, as threads and as processes, none takes up a member twice. Three others
    and two workers, all of them with --long.
    """
    pytest.importorskip("matplotlib", reason="the extra `bench` is missing")
    runners, numbers = installed(), WORKERS
    if not request.config.getoption("--long"):
        names = ("renewer", "pgbench, 8 clients", "the procedure alone")
        runners, numbers = {name: runners[name] for name in names}, (1, 2)
    with ground() as here:
        here.fill(300)
        rounds = {name: [here.measure(run)] for name, run in runners.items()}
        rows = measure_workers(here, 1, numbers)
    assert len(compare.make_table(rounds).rows) == len(runners)
    sizes = [(each, 1) for each in numbers] + [(1, each) for each in numbers[1:]]
    assert [(row.threads, row.processes, row.twice) for row in rows] == [
        (*size, 0) for size in sizes
    ]
    workers.make_table(rows).show(tmp_path)
    assert (tmp_path / "workers.png").exists()


SIZES = {
    "members": ["--sizes", "600", "1200", "--due", "100", "--rounds", "1"],
    "answers": ["--sizes", "600", "--due", "100", "--asked", "1"],
    "bulk": ["--sizes", "500", "--due", "50", "--repaired", "20"],
    "due": ["--sizes", "100", "300"],
    "ledger": ["--sizes", "600", "--due", "100", "--rounds", "1"],
    "cold": ["--sizes", "600", "--due", "100", "--rounds", "1"],
    "heavy": ["--due", "100"],
    "choices": ["--sizes", "900", "--due", "100", "--rounds", "1"],
}
SHORT = ("answers",)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("measure", SIZES)
def test_each_measure_runs(
    measure: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """With few members; a plot where one is drawn."""
    pytest.importorskip("matplotlib", reason="the extra `bench` is missing")
    if measure not in SHORT and not request.config.getoption("--long"):
        pytest.skip("one of the long forms")
    rows = bench(measure, *SIZES[measure], "--plots", str(tmp_path))
    assert len(rows) > 2
    assert (tmp_path / f"{measure}.png").exists()


def bench(*arguments: str) -> list[str]:
    """Run a measure; return the rows of its tables."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [line for line in done.stdout.splitlines() if line.startswith("| ")]
