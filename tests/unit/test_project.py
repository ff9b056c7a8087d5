"""What the project says of itself is true: the map of modules, the queries, the README."""

import ast
import re
from pathlib import Path

import pytest

from renewer.settings import LIBPQ_VARIABLES, Settings
from tests.support import ROOT

LAYERS = (
    "errors", "cycle", "ledger", "posting", "policy", "awards", "forecast", "repair", "queries", "store", "migrations",
    "embedded", "plans", "passes", "renewal", "members", "failures", "backfill", "explanation", "sentence",
    "verification", "settings", "logs", "listener", "worker", "cli",
)  # fmt: skip

PURE = {"errors", "cycle", "ledger", "posting", "policy", "awards", "forecast", "repair"}
IMPURE = re.compile(r"\b(datetime\.now|date\.today|time\.time|random|os\.environ|structlog|logging|psycopg)\b")

MODULES = sorted((ROOT / "renewer").rglob("*.py"))
README = (ROOT / "README.md").read_text()


def layer(path: Path) -> str:
    return path.relative_to(ROOT / "renewer").parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the layers a module imports from."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "renewer":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_the_layers_below(path: Path) -> None:
    """The map has an order, and every module has a place in it."""
    if layer(path) in ("__init__", "__main__"):
        return
    below = set(LAYERS[: LAYERS.index(layer(path))])
    own = {layer(path)} if path.parent != ROOT / "renewer" else set()  # a package has an order of its own
    assert imported(path) <= below | own


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_pure_modules_have_no_clock_and_no_environment(name: str) -> None:
    """What is due is decided from arguments alone."""
    assert not IMPURE.search((ROOT / "renewer" / f"{name}.py").read_text())


def test_every_query_is_used_and_exists() -> None:
    """No file without a caller, no caller without a file."""
    text = "\n".join(path.read_text() for path in MODULES)
    used = set(re.findall(r'(?:query|scalar|stream)\(\s*(?:conn,\s*)?"(\w+)"', text)) | set(
        re.findall(r'\d, "(find_\w+)"', text)
    )
    assert used == {path.stem for path in (ROOT / "sql" / "queries").glob("*.sql")}


@pytest.mark.parametrize("path", sorted((ROOT / "sql" / "queries").glob("*.sql")), ids=lambda path: path.stem)
def test_a_query_is_one_statement_with_a_sentence_before_it(path: Path) -> None:
    """It names its columns, and no comment holds a percent sign the driver would stumble over."""
    text = path.read_text()
    assert re.match(r"-- [A-Z].*\.\n", text)
    assert text.rstrip().endswith(";")
    assert text.count(";\n") == 1
    assert "SELECT *" not in text
    assert all("%" not in line for line in text.splitlines() if line.startswith("--"))


def test_the_readme_names_every_command_setting_and_table() -> None:
    """Whoever adds one describes it."""
    from renewer.cli.app import app

    commands = [(command.name or command.callback.__name__) for command in app.registered_commands if command.callback]
    assert commands
    for command in commands:
        assert f"`renewer {command}" in README
    for name in [*(f"RENEWER_{field.upper()}" for field in Settings.model_fields), *LIBPQ_VARIABLES]:
        assert f"`{name}`" in README
    assert "`renewer plans load" in README
    assert "`renewer plans list`" in README
    schema = "\n".join(path.read_text() for path in (ROOT / "sql" / "migrations").glob("0*.sql"))
    for table in re.findall(r"CREATE TABLE renewer\.(\w+)", schema):
        assert f"`{table}`" in README


def test_the_readme_is_short_enough_to_be_read() -> None:
    """Under 250 lines."""
    assert len(README.splitlines()) < 250
