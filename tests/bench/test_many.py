"""
Many members, from the file to a verified ledger.

Long form, 300,000 of them: `pytest --long tests/bench`.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench.generate import generate

PEAK_MB = 150
"""
What a process may need at the most, whatever the number of members.

300,000 took 67 MB when this was written.
"""


@pytest.fixture
def members(request: pytest.FixtureRequest) -> int:
    return 300_000 if request.config.getoption("--long") else 3_000


DRIVER = """
import atexit, pathlib, re, sys

def tell(path=sys.argv.pop(1)):
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(path).write_text(re.search(r"VmHWM:\\s+(\\d+)", status)[1])

atexit.register(tell)
from renewer.cli import main
main()
"""
"""
The command line, which tells what it took at the most. What the system tells of a
process that has ended counts in the one it was forked from.
"""


class Measured:
    """The command line on a database; *peak_kb* is the most a process of it took."""

    def __init__(self, conninfo: str, folder: Path) -> None:
        self._env = os.environ | {"RENEWER_DATABASE_URL": conninfo, "NO_COLOR": "1"}
        self._peak = folder / "peak"
        self.peak_kb = 0

    def run(self, *arguments: str) -> str:
        """Run a command to its end; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", DRIVER, str(self._peak), *arguments],
            env=self._env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode in (0, 1)
        self.peak_kb = max(self.peak_kb, int(self._peak.read_text()))
        return done.stdout

    def read(self, *arguments: str) -> Any:
        """Run a command with --json; return its document."""
        return json.loads(self.run(*arguments, "--json"))


@pytest.mark.timeout(900)
def test_many_members_are_renewed_in_one_pass(
    empty_database: str, tmp_path: Path, members: int
) -> None:
    """
    One import, one pass that posts every due boundary, one backfill.

    The second of either posts nothing.
    """
    path = tmp_path / "members.csv"
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in generate(members))
    renewer = Measured(empty_database, tmp_path)
    renewer.run("migrate")
    renewer.run("plans", "load", "upwork-2016")
    imported = renewer.read("import", str(path), "--as-of", "2026-03-15")
    assert imported["imported"] == members
    first = renewer.read("run", "--as-of", "2026-04-16")
    assert first["failed"] == first["skipped"] == 0
    assert first["renewed"] == first["due"] > members * 0.95
    assert renewer.read("run", "--as-of", "2026-04-16")["due"] == 0
    renewer.run("run", "--as-of", "2026-07-16", "--catch-up", "latest")
    repair = (
        "backfill", "--from", "2026-04-17", "--to", "2026-06-30",
        "--as-of", "2026-07-17",
    )  # fmt: skip
    began = time.monotonic()
    repaired = renewer.run(*repair)
    seconds = time.monotonic() - began
    late = re.search(r"made up for late +(\d+)", repaired)
    assert late is not None
    assert int(late[1]) > members * 0.9
    assert renewer.read(*repair)["due"] == 0
    assert renewer.read("verify")["ok"] is True
    peak_kb = renewer.peak_kb
    assert peak_kb < PEAK_MB * 1024
    renewed_a_s = first["renewed"] / first["seconds"]
    repaired_a_s = int(late[1]) / seconds
    print(
        f"\n{members} members: pass {first['seconds']} s, {renewed_a_s:.0f} members/s, "
        f"backfill {seconds:.1f} s, {repaired_a_s:.0f} members/s, "
        f"{peak_kb // 1024} MB at the most",
        file=sys.stderr,
    )
