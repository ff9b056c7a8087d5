"""
What the project says of itself is true: the map of modules, the queries, the README.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from renewer.cli.app import COMMANDS, module_of
from renewer.host.settings import LIBPQ_VARIABLES, Settings
from tests.support import ROOT, read_statement

ROOMS = {
    "errors": set(),
    "rules": {"errors"},
    "store": {"errors", "rules"},
    "jobs": {"errors", "rules", "store"},
    "answers": {"errors", "rules", "store"},
    "host": {"errors", "rules", "store"},
    "worker": {"errors", "rules", "store", "jobs", "answers", "host"},
    "web": {"errors", "rules", "store", "answers", "host"},
    "cli": {"errors", "rules", "store", "jobs", "answers", "host", "worker", "web"},
}
"""
Which rooms each room may import from: the map of the project.

Jobs and answers never import each other.
"""

IMPURE = re.compile(
    r"\b(datetime\.now|date\.today|time\.time|random|os\.environ|structlog|logging|psycopg)\b"
)

MODULES = sorted((ROOT / "renewer").rglob("*.py"))
SQL = ROOT / "sql"
QUERIES = sorted((SQL / "queries").rglob("*.sql"))
README = (ROOT / "README.md").read_text()


COMMAND_MODULES = {
    ROOT / "renewer" / "cli" / f"{module_of(name)}.py" for name in COMMANDS
}


def room(path: Path) -> str:
    return path.relative_to(ROOT / "renewer").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the rooms a module imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] == "renewer"
        ):
            parts = node.module.split(".")
            found |= (
                {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
            )
        if isinstance(node, ast.Import):
            found |= {
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("renewer.")
            }
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_the_rooms_it_may(path: Path) -> None:
    """The map has directions, and every module has a room."""
    if room(path) in ("__init__", "__main__"):
        return
    assert imported(path) <= ROOMS[room(path)] | {room(path)}


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "renewer" / "rules").glob("*.py")),
    ids=lambda path: path.stem,
)
def test_the_rules_have_no_clock_and_no_environment(path: Path) -> None:
    """What is due is decided from arguments alone."""
    assert not IMPURE.search(path.read_text())


def test_no_two_public_classes_share_a_name() -> None:
    """A name says which class is meant; rooms may each have a module of one subject."""
    names: Counter[str] = Counter()
    for path in MODULES:
        tree = ast.parse(path.read_text())
        names.update(
            node.name
            for node in tree.body
            if isinstance(node, ast.ClassDef) and node.name[0] != "_"
        )
    assert [name for name, times in names.items() if times > 1] == []


def test_every_query_is_used_and_exists() -> None:
    """No file without a caller, no caller without a file."""
    text = "\n".join(path.read_text() for path in MODULES)
    used = set(re.findall(r'"(\w+/[a-z_]+)"', text))
    assert used == {f"{path.parent.name}/{path.stem}" for path in QUERIES}


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_is_one_statement_with_a_sentence_before_it(path: Path) -> None:
    """
    It names its columns, and no comment holds a percent sign the driver would stumble
    over.
    """
    text = path.read_text()
    assert re.match(r"-- [A-Z].*\.\n", text)
    assert text.rstrip().endswith(";")
    assert text.count(";\n") == 1
    assert "SELECT *" not in text
    assert all("%" not in line for line in text.splitlines() if line.startswith("--"))


@pytest.mark.parametrize(
    "path",
    [
        str(path.relative_to(SQL))
        for path in sorted(SQL.rglob("*.sql"))
        if "ON CONFLICT" in path.read_text(encoding="utf-8")
    ],
)
def test_a_conflict_that_is_expected_is_named(path: str) -> None:
    """Another key that is broken must be an error, not silence."""
    assert re.findall(r"ON CONFLICT (?!ON CONSTRAINT )\w+", read_statement(path)) == []


def test_the_documents_name_every_command_setting_and_table() -> None:
    """Whoever adds one describes it."""
    for command in COMMANDS:
        assert f"`renewer {command}" in README
    for name in [
        *(f"RENEWER_{field.upper()}" for field in Settings.model_fields),
        *LIBPQ_VARIABLES,
    ]:
        assert f"`{name}`" in README
    assert "`renewer plans load" in README
    assert "`renewer plans list`" in README
    schema = "\n".join(
        path.read_text() for path in (ROOT / "sql" / "migrations").glob("0*.sql")
    )
    pages = [ROOT / "deploy" / "operations.md", ROOT / "sql" / "README.md"]
    for table in re.findall(r"CREATE TABLE renewer\.(\w+)", schema):
        assert [f"`{table}`" in page.read_text() for page in pages] == [True, True]


def test_the_architecture_shows_the_rooms_as_they_are() -> None:
    """Its table has the rooms of ROOMS, each with what it may import."""
    text = (ROOT / "renewer" / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (–|[`\w, ]+) \| ", text, re.M)
    assert {room: set(re.findall(r"\w+", cell)) for room, cell in rows} == ROOMS


def test_a_pass_loads_nothing_that_only_others_use() -> None:
    """A command starts without what migrates, schedules, measures or serves."""
    look = (
        "import sys, renewer.cli.app, renewer.cli.run, renewer.jobs.helper; "
        "print({'yoyo', 'apscheduler', 'prometheus_client', 'starlette',"
        " 'renewer.answers.documents', 'renewer.answers.health'} & set(sys.modules))"
    )
    looked = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True
    )
    assert looked.stdout == "set()\n"


def test_the_readme_is_short_enough_to_be_read() -> None:
    """Under 250 lines."""
    assert len(README.splitlines()) < 250
