"""The mutations still apply, and a few of them are tried."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.mutations.runner import mutate
from tests.mutations.table import MUTATIONS, Mutation
from tests.support import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_a_mutation_still_applies(mutation: Mutation) -> None:
    """What it replaces is there exactly once, and so are the tests it names."""
    assert mutation.new in mutate(ROOT, mutation)[1]
    for named in mutation.tests:
        path, name = named.split("::")
        assert (ROOT / path).read_text(encoding="utf-8").count(f"def {name}(") == 1


def test_no_two_mutations_share_a_name() -> None:
    """The command takes them by name."""
    names = Counter(mutation.name for mutation in MUTATIONS)
    assert names.most_common(1)[0][1] == 1


def test_the_quick_ones_are_caught(server: str) -> None:
    """The command says so, and exits with 0."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutations", "--quick"],
        cwd=ROOT,
        env=os.environ | {"RENEWER_TEST_DATABASE_URL": server},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "5 of 5 caught; survivors: none"


def test_a_mutation_nobody_knows_is_refused() -> None:
    """One line, and exit code 1."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutations", "no-such-guard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "unknown mutation no-such-guard: see tests/mutations/table.py\n",
    )
