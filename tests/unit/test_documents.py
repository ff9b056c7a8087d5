"""The documents are true: links, paths, tests, commands, names, the fault catalogue."""

import os
import re
import tomllib
from fnmatch import fnmatch
from functools import cache
from itertools import groupby
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from renewer.cli.app import COMMANDS, app
from tests.support import ROOT

FOLDERS = ("renewer", "sql", "tests", "deploy", ".github", ".ci")
FILES = sorted(
    path
    for path in [*ROOT.glob("*"), *(p for f in FOLDERS for p in (ROOT / f).rglob("*"))]
    if "__pycache__" not in path.parts
)
DOCUMENTS = [path for path in FILES if path.suffix == ".md"]
SOURCES = (".py", ".sql", ".toml", ".yml", ".yaml", ".service", ".json")
WORDS = {
    word
    for path in FILES
    if path != Path(__file__) and (path.suffix in SOURCES or path.parent.name == ".ci")
    for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
} | {path.stem for path in FILES}
"""Words of the code, and names of files."""

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]*)*\.(?:py|sql|md|toml|json|ya?ml|lock|service)")
FOLDER = re.compile(r"\.?[a-z][\w.-]*/(?:[\w.-]+/?)*")
TEST = re.compile(r"([\w/.]+\.py)::([\w*]+)")
COMMAND = re.compile(r"(?:^|[\s`(/])renewer ((?:[a-z]+\b ?)+)([^`|\n#]*)", re.M)
OPTION = re.compile(r"(?<!\S)\[?(--[a-z][a-z-]+)")
NAME = re.compile(r"(?:[A-Za-z]|_\w{3})\w+(?:\.\w+)*")

OF_OTHERS = {
    # files of the reader
    "members.csv", "plans.toml", "0002_add_something.sql", "web.yaml",
    # programs and settings
    "timedatectl", "max_prepared_transactions", "pg_hba.conf", "pg_dist_authinfo",
    "member_102008",
}  # fmt: skip
"""Names in documents that are not of this repository."""

document = pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def read_prose(path: Path) -> str:
    """Return a document without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.M | re.S)


def find_headings(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", read_prose(path), re.M)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in titles}


@document
def test_links_lead_somewhere(path: Path) -> None:
    """Each relative link names a file of the repository, and a heading that it has."""
    for link in LINK.findall(read_prose(path)):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in find_headings(target), link


@cache
def find_files(name: str) -> list[Path]:
    """Return the files whose path ends with *name*, whole components each."""
    pattern = f"*/{name.strip('/')}"
    return [path for path in FILES if fnmatch(str(path), pattern)]


@document
def test_paths_exist(path: Path) -> None:
    """A file or folder that is named or given to a command exists."""
    text = read_prose(path)
    named = {code.split("::")[0] for code in CODE.findall(text)}
    paths = {each for each in named if PATH.fullmatch(each) or FOLDER.fullmatch(each)}
    paths |= set(re.findall(r"(?<!\S)(?:deploy|sql|tests)/[\w./-]*\w", text))
    assert {each for each in paths - OF_OTHERS if not find_files(each)} == set()


def find_tests(path: Path) -> list[str]:
    """Return the names of the tests in a file."""
    return re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.M)


def is_there(file: str, pattern: str) -> bool:
    """Return whether *file* has a test whose name matches *pattern*."""
    names = [name for path in find_files(file) for name in find_tests(path)]
    return any(fnmatch(name, pattern) for name in names)


@document
def test_tests_exist(path: Path) -> None:
    """Each `file::test` exists; a star stands for the rest of a name."""
    named = TEST.findall(path.read_text())
    assert [each for each in named if not is_there(*each)] == []


@cache
def find_options(name: str, subcommand: str) -> set[str]:
    """Return the options of a command and of its subcommand."""
    command = get_command(app).get_command(None, name)  # type: ignore[attr-defined]
    commands = [command, getattr(command, "commands", {}).get(subcommand, command)]
    return {each for one in commands for option in one.params for each in option.opts}


@document
def test_commands_have_their_options(path: Path) -> None:
    """Each `renewer COMMAND --option` can be called like that."""
    wrong = []
    for words, rest in COMMAND.findall(path.read_text()):
        name, *more = words.split()
        if name in COMMANDS:
            # Behind such a sign another sentence or command begins.
            given = OPTION.findall(re.split(r"[;,.&] ", words + rest)[0])
            known = find_options(name, more[0] if more else "")
            wrong += [(name, option) for option in given if option not in known]
    assert wrong == []


@document
def test_names_exist(path: Path) -> None:
    """A name alone in backticks occurs in the code; the changelog names the past."""
    if path.name == "CHANGELOG.md":
        return
    names = {
        part
        for code in CODE.findall(read_prose(path))
        if NAME.fullmatch(code) and code not in OF_OTHERS
        for part in code.split(".")
    }
    assert sorted(names - WORDS) == []


GUIDE = ROOT / ".github" / "CONTRIBUTING.md"


def find_commands(text: str) -> list[str]:
    """Return the commands of a guide: indented lines, and last cells of a table."""
    return re.findall(r"^    (\S.*)$", text, re.M) + re.findall(
        r"\| `([^`]+)` \|$", text, re.M
    )


def is_run(command: str, gate: str, tests: str) -> bool:
    """Return whether the text of the *gate* or of the *tests* runs *command*."""
    program, *arguments = command.split()
    if program == ".venv/bin/pytest":
        # The gate runs all tests.
        return all((ROOT / each).exists() for each in arguments)
    if arguments[:1] == ["-m"] and arguments[1].startswith("tests."):
        module = arguments[1]
        return f'"{module}"' in tests or f"from {module} import" in tests
    return command == ".ci/run" or command in gate


def test_every_command_for_contributors_is_run() -> None:
    """The gate runs it, or a test does."""
    gate = (ROOT / ".ci" / "run").read_text()
    tests = "\n".join(
        path.read_text() for path in FILES if fnmatch(path.name, "test_*.py")
    )
    commands = find_commands(GUIDE.read_text())
    assert len(commands) > 9
    assert [each for each in commands if not is_run(each, gate, tests)] == []


def test_the_gates_can_be_started() -> None:
    """Each file of .ci/ is executable, and pre-commit's entry is one of them."""
    gates = sorted(path.name for path in (ROOT / ".ci").iterdir())
    assert gates == ["lint", "run", "test-fast"]
    assert all(os.access(ROOT / ".ci" / name, os.X_OK) for name in gates)
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks["repos"][0]["hooks"][0]["entry"] == ".ci/lint"


def test_the_workflow_covers_every_supported_version() -> None:
    """Each Python of the classifiers, each PostgreSQL of the README, with the gate."""
    text = (ROOT / ".github" / "workflows" / "gate.yml").read_text()
    job = yaml.safe_load(text)["jobs"]["gate"]
    pairs = job["strategy"]["matrix"]["include"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    classified = [each.rpartition(":: ")[2] for each in project["classifiers"]]
    assert {each["python"] for each in pairs} == {
        each for each in classified if re.fullmatch(r"3\.\d+", each)
    }
    supported = re.search(
        r"PostgreSQL (\d+) to (\d+)", (ROOT / "README.md").read_text()
    )
    assert supported is not None
    versions = range(int(supported[1]), int(supported[2]) + 1)
    assert {int(each["postgres"]) for each in pairs} == set(versions)
    assert job["steps"][-1] == {"run": ".ci/run"}


FAULTS = [
    [cell.strip() for cell in row]
    for row in re.findall(
        r"^\| ([A-G]\d+) \|(.+?)\|(.+?)\|(.+?)\|(.+?)\|$",
        (ROOT / "tests" / "README.md").read_text(),
        re.M,
    )
]
"""The rows of the fault catalogue: row, fault, injection, expectation, tests."""


def test_the_fault_catalogue_has_no_gap() -> None:
    """Rows of a group are numbered from 1; one without a test says why not."""
    for group, rows in groupby(FAULTS, lambda row: row[0][0]):
        numbers = [int(row[0][1:]) for row in rows]
        assert (group, numbers) == (group, list(range(1, len(numbers) + 1)))
    assert {row[0][0] for row in FAULTS} == set("ABCDEFG")
    for name, *_, expected, tests in FAULTS:
        assert TEST.search(tests) or expected.startswith("Does not apply: "), name


def find_rows(test: str) -> list[str]:
    """Return the rows that a test is named after: B5 and B6 of `test_b5_b6_lost`."""
    named = re.match(r"test_((?:[a-g]\d+_)+)", test)
    return named[1].upper().strip("_").split("_") if named else []


def test_every_test_named_after_a_fault_is_in_its_row() -> None:
    """The row names its file, and a pattern that it matches."""
    patterns = {row[0]: TEST.findall(row[-1]) for row in FAULTS}
    named = [
        (row, path, test)
        for path in find_files("tests/faults/test_*.py")
        for test in find_tests(path)
        for row in find_rows(test)
    ]
    assert len(named) > 50
    assert [
        (row, test)
        for row, path, test in named
        if not any(
            path in find_files(file) and fnmatch(test, name)
            for file, name in patterns.get(row, ())
        )
    ] == []
