"""The catalogue of faults is complete: each row has a test or a line in the table."""

import re
from pathlib import Path

HERE = Path(__file__).parent
ROWS = {"A": 8, "B": 15, "C": 14, "D": 10, "E": 12, "F": 6, "G": 9}
"""A1–A8, B1–B15, C1–C14, D1–D10, E1–E12, F1–F6, G1–G9."""


def named() -> set[str]:
    """Return the rows that tests of this folder are named after."""
    rows: set[str] = set()
    for path in HERE.glob("test_*.py"):
        for name in re.findall(r"^def test_((?:[a-g]\d+_)+)", path.read_text(), re.M):
            rows |= {row.upper() for row in name.strip("_").split("_")}
    return rows


def listed() -> dict[str, str]:
    """Return the rows of the README's table, and what it says of each."""
    text = (HERE / "README.md").read_text()
    return dict(re.findall(r"^\| ([A-G]\d+) \| (.+) \|$", text, re.M))


def test_every_row_of_the_catalogue_is_tested_or_argued() -> None:
    """None is missing, and none is listed that is not in the catalogue."""
    rows = {f"{group}{n + 1}" for group, many in ROWS.items() for n in range(many)}
    assert rows - named() - set(listed()) == set()
    assert (named() | set(listed())) - rows == set()


def test_what_the_table_names_is_there() -> None:
    """A test that it names exists under that name in that file."""
    missing = []
    for row, said in listed().items():
        for file, name in re.findall(r"`(\S+\.py)::(\w+)`", said):
            path = HERE.parent / file
            if not path.exists() or f"def {name}(" not in path.read_text():
                missing.append((row, file, name))
    assert missing == []
