"""Finds the files of sql/: beside the package in a checkout, inside it in a wheel."""

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
    return (sql_folder() / "queries" / "spread" / f"{name}.sql").exists()


@cache
def query(name: str) -> LiteralString:
    """Return the statement of sql/queries/*name*.sql."""
    return (sql_folder() / "queries" / f"{name}.sql").read_text(encoding="utf-8")
