"""Breaks a copy of the checkout, one guard at a time, and sees which tests go red."""

import ast
import compileall
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryDirectory

from renewer.host import embedded
from tests.mutations.table import Mutation
from tests.support import ROOT, quick_folder

TESTS_FAILED = 1
"""pytest's exit code when tests were run and some of them failed."""

PATIENCE_S = 170
RED = re.compile(r"^FAILED (\S+)", re.MULTILINE)


class Refused(Exception):
    """The mutations cannot be tried, or one of them no longer applies; says why."""


@dataclass(frozen=True)
class Verdict:
    """What came of one mutation: *red* are the tests that saw it."""

    mutation: Mutation
    red: tuple[str, ...]
    seconds: float
    trouble: str | None = None

    @property
    def caught(self) -> bool:
        """Whether every test that had to go red did."""
        missed = set(self.mutation.tests) - set(self.red)
        return self.trouble is None and not missed


DEFINITION = r"^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE|VIEW) renewer\.{}\b"


def find_place(root: Path, where: str) -> tuple[Path, int, int]:
    """Return the file that has *where*, and from and to which character it stands."""
    if "/" in where:
        path = root / where
        return path, 0, len(path.read_text(encoding="utf-8"))
    module, _, name = where.partition(":")
    if name:
        path = root / f"{module.replace('.', '/')}.py"
        return path, *_find_function(path.read_text(encoding="utf-8"), name)
    begins = re.compile(DEFINITION.format(where.partition(".")[2]), re.MULTILINE)
    for path in sorted((root / "sql").rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        begun = begins.search(text)
        if begun is not None:
            end = text.find("\nCREATE ", begun.end())
            return path, begun.start(), len(text) if end < 0 else end
    raise Refused(f"there is no {where} in sql/")


def _find_function(text: str, name: str) -> tuple[int, int]:
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        node = next(
            each
            for each in ast.walk(node)
            if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == part
        )
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    lines = text.splitlines(keepends=True)
    first, last = node.lineno - 1, node.end_lineno
    return len("".join(lines[:first])), len("".join(lines[:last]))


def mutate(root: Path, mutation: Mutation) -> tuple[Path, str]:
    """
    Return the file of the mutation, and its text once it is applied.

    Refused when what it replaces is not there exactly once.
    """
    path, start, end = find_place(root, mutation.where)
    text = path.read_text(encoding="utf-8")
    place = text[start:end]
    found = place.count(mutation.old)
    if found != 1:
        raise Refused(
            f"{mutation.name} no longer applies: what it replaces occurs {found} times "
            f"in {mutation.where}, not once; mend tests/mutations/table.py"
        )
    return path, text[:start] + place.replace(mutation.old, mutation.new) + text[end:]


@contextmanager
def copied_checkout() -> Iterator[Path]:
    """Yield a copy of what git knows of this checkout, or would add to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    with TemporaryDirectory(prefix="renewer-mutations-") as folder:
        copy = Path(folder).resolve()
        for name in filter(None, listed.stdout.split("\0")):
            source = ROOT / name
            if source.is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, copy / name)
        check_imports(copy)
        by_hash = PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(copy, quiet=1, invalidation_mode=by_hash)
        yield copy


def environment(copy: Path, server: str = "") -> dict[str, str]:
    """Return the environment in which *copy* is imported, and nothing of it is kept."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "RENEWER_"))
    }
    # Bytecode is made once, and known by its source's hash: by its time, a file that is
    # changed twice within a second would be taken for what it was.
    own = {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    # Of all plugins, which take long to load, the tests named need this one.
    own |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_timeout"}
    return kept | own | {"RENEWER_TEST_DATABASE_URL": server}


LOCATE = """
import renewer, renewer.store.queries, tests.support
print(renewer.__file__, renewer.store.queries.sql_folder(), tests.support.__file__)
"""


def check_imports(copy: Path) -> None:
    """Refuse to go on when the code, SQL or tests of another folder would be run."""
    done = subprocess.run(
        [sys.executable, "-c", LOCATE],
        cwd=copy,
        env=environment(copy),
        capture_output=True,
        text=True,
        check=True,
    )
    elsewhere = [
        path for path in done.stdout.split() if not Path(path).is_relative_to(copy)
    ]
    if elsewhere:
        raise Refused(f"not the copy but this would be tested: {elsewhere}")


def run_tests(
    copy: Path, server: str, tests: Sequence[str]
) -> tuple[tuple[str, ...], str | None]:
    """
    Run *tests* in *copy*; return those that failed, and what else went wrong.

    A test whose set-up breaks saw nothing of the guard: that is trouble.
    """
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "--tb=no", "-rf"]
    try:
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", *tests],
            cwd=copy,
            env=environment(copy, server),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return (), f"no end within {PATIENCE_S} s"
    last = (done.stdout.splitlines() or ["no output"])[-1]
    # Of a test with parameters, one that is red is enough.
    red = tuple(sorted({name.split("[")[0] for name in RED.findall(done.stdout)}))
    broken = done.returncode not in (0, TESTS_FAILED) or " error" in last
    return red, last if broken else None


def try_mutations(mutations: Sequence[Mutation], server: str) -> Iterator[Verdict]:
    """
    Apply each of *mutations* alone and yield what the tests say.

    Refused when one no longer applies, or when its tests are red without it.
    """
    with copied_checkout() as copy:
        mutated = [mutate(copy, mutation) for mutation in mutations]
        tests = sorted({test for mutation in mutations for test in mutation.tests})
        red, trouble = run_tests(copy, server, tests)
        if red or trouble:
            raise Refused(f"red without any mutation: {red or trouble}")
        for mutation, (path, text) in zip(mutations, mutated, strict=True):
            sound = path.read_text(encoding="utf-8")
            path.write_text(text, encoding="utf-8")
            began = time.monotonic()
            red, trouble = run_tests(copy, server, mutation.tests)
            yield Verdict(mutation, red, time.monotonic() - began, trouble)
            path.write_text(sound, encoding="utf-8")


@contextmanager
def running_server() -> Iterator[str]:
    """Yield the conninfo of the server that is given, or of one of our own."""
    given = os.environ.get("RENEWER_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with embedded.temporary(quick_folder()) as conninfo:
        yield conninfo
