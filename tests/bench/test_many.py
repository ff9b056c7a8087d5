"""
Many members, from the file to a verified ledger.

Long form, 300,000 of them: `pytest --long tests/bench`.
"""

import re
import sys
import time
from pathlib import Path

import pytest

from tests.bench.commands import Measured
from tests.bench.generate import generate

PEAK_MB = 150
"""
What a process may need at the most, whatever the number of members.

300,000 took 67 MB when this was written.
"""


@pytest.fixture
def members(request: pytest.FixtureRequest) -> int:
    return 300_000 if request.config.getoption("--long") else 3_000


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
    renewer = Measured(empty_database)
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
