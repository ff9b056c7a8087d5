"""Finds the files of sql/: beside the package in a checkout, inside it in a wheel."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import LiteralString

PACKAGE = Path(__file__).parent.parent


@cache
def sql_folder() -> Path:
    """Return the folder sql/ of this installation."""
    for folder in (PACKAGE / "sql", PACKAGE.parent / "sql"):
        if (folder / "queries").is_dir():
            return folder
    raise FileNotFoundError(
        f"the folder sql/ is missing beside {PACKAGE}: install renewer again"
    )


@cache
def has_spread(name: str) -> bool:
    """Whether statement *name* has another form where members are spread over nodes."""
    return (sql_folder() / "queries" / "cluster" / f"{name}.sql").exists()


@cache
def query(name: str) -> LiteralString:
    """Return the statement of sql/queries/*name*.sql."""
    return (sql_folder() / "queries" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def definitions(folder: str) -> list[str]:
    """
    Return the files under sql/*folder*, each with a COMMENT ON for what it creates.

    The comment is the first sentence of the header above each CREATE, so that nobody
    writes it twice.
    """
    files = sorted((sql_folder() / folder).rglob("*.sql"))
    return [_add_comments(path.read_text(encoding="utf-8")) for path in files]


_CREATED = re.compile(
    r"((?:^--.*\n)+)CREATE (?:OR REPLACE )?(TABLE|FUNCTION|PROCEDURE|VIEW) "
    r"renewer\.(\w+)",
    re.MULTILINE,
)
_TABLE = re.compile(r"^CREATE TABLE renewer\.(\w+) \(\n(.+?)\n\);", re.M | re.S)
_COLUMN = re.compile(
    r"^    -- (.+)\n    ([a-z_]+) |^    ([a-z_]+) .*?  -- (.+)$", re.MULTILINE
)


def _add_comments(text: str) -> str:
    return text + "".join(find_comments(text))


def find_comments(text: str) -> Iterator[str]:
    """
    Yield a COMMENT ON for what *text* creates.

    The comment of a table, routine or view is the first sentence of the header above
    it; that of a column stands behind it, or in the line above.
    """
    for header, kind, name in _CREATED.findall(text):
        told = " ".join(line.lstrip("- ") for line in header.splitlines())
        yield _comment(f"{kind} renewer.{name}", told.partition(". ")[0])
    for table, body in _TABLE.findall(text):
        for above, column, named, behind in _COLUMN.findall(body):
            yield _comment(f"COLUMN renewer.{table}.{column or named}", above or behind)


def _comment(thing: str, told: str) -> str:
    quoted = told.strip().removesuffix(".").replace("'", "''")
    return f"COMMENT ON {thing} IS '{quoted}';\n"
