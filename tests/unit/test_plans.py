"""Plan files and presets."""

from pathlib import Path

import pytest

from renewer.errors import InputError
from renewer.jobs import plan_files
from renewer.rules.plans import Revision
from tests.support import EPOCH

PRESETS = {
    "elance-2013": [("basic", 40, 0, None), ("individual", 60, 60, None)],
    "upwork-2016": [
        ("basic", 60, 0, None),
        ("plus", 70, 140, None),
        ("agency-plus", 80, 160, None),
    ],
    "upwork-2019": [("basic", 0, 140, 12), ("plus", 70, 140, 12)],
    "upwork-2020": [("basic", 10, 200, 12), ("plus", 80, 200, 12)],
    "upwork-2025": [("basic", 10, None, 12), ("plus", 100, None, 12)],
}

GOOD = 'code = "a"\neffective_from = 2026-01-01\nallowance = 1\nrollover_cap = 0\n'


def test_there_is_a_preset_for_each_period() -> None:
    """No more, no fewer."""
    assert plan_files.presets() == sorted(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_what_was_published(name: str) -> None:
    """The figures that the marketplaces published, by period."""
    expected = [
        Revision(code, EPOCH, allowance, cap, months)
        for code, allowance, cap, months in PRESETS[name]
    ]
    assert plan_files.read_plans(name) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plans = 3", "has no plans"),
        ("", "has no plans"),
        ("[[plans]\n", "not valid TOML"),
        ("plans = [1]", "plan 1 is not a table"),
        ('[[plans]]\ncode = "a"\n', "has no allowance"),
        ("[[plans]]\n" + GOOD + "cap = 3\n", "unknown key 'cap'"),
        (
            "[[plans]]\n" + GOOD.replace("= 1\n", "= -1\n"),
            "allowance -1 is not a whole number from 0",
        ),
        (
            "[[plans]]\n" + GOOD.replace("= 1\n", "= 1.5\n"),
            "allowance 1.5 is not a whole number",
        ),
        (
            "[[plans]]\n" + GOOD.replace("= 1\n", "= true\n"),
            "allowance True is not a whole number",
        ),
        (
            "[[plans]]\n" + GOOD.replace("= 0\n", '= "none"\n'),
            "rollover_cap 'none' is .*, or \"unlimited\"",
        ),
        (
            "[[plans]]\n" + GOOD + "lifetime_months = 0\n",
            "lifetime_months 0 is not a whole number from 1",
        ),
        (
            "[[plans]]\n" + GOOD + "lifetime_months = 1201\n",
            "lifetime_months 1201 is not a whole number from 1 to 1200",
        ),
        ("a = " + "9" * 5000, "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        (
            "[[plans]]\n" + GOOD.replace("2026-01-01", '"soon"'),
            "effective_from 'soon' is not a date from 1900-01-01",
        ),
        ("[[plans]]\n" + GOOD.replace('"a"', '""'), "code '' is not a text"),
        ("[[plans]]\n" + GOOD + "[[plans]]\n" + GOOD, "two revisions from 2026-01-01"),
    ],
)
def test_a_file_that_is_wrong_says_where_and_how(
    tmp_path: Path, text: str, message: str
) -> None:
    """One line names the plan, the value and what would be right."""
    path = tmp_path / "plans.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        plan_files.read_plans(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_names_the_presets() -> None:
    """The slip may be in either."""
    with pytest.raises(
        InputError,
        match="there is no file upwork-2061, and the presets are elance-2013",
    ):
        plan_files.read_plans("upwork-2061")
