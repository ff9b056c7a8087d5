"""Finds the files of sql/: beside the package in a checkout, inside it in a wheel."""

import re
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
    r"((?:^--.*\n)+)CREATE OR REPLACE (FUNCTION|PROCEDURE|VIEW) renewer\.(\w+)", re.M
)


def _add_comments(text: str) -> str:
    comments = []
    for header, kind, name in _CREATED.findall(text):
        told = " ".join(line.lstrip("- ") for line in header.splitlines())
        sentence = told.partition(". ")[0].strip().removesuffix(".")
        quoted = sentence.replace("'", "''")
        comments.append(f"COMMENT ON {kind} renewer.{name} IS '{quoted}';\n")
    return text + "".join(comments)
