"""Reads plan revisions from TOML and puts them on record."""

import tomllib
from collections.abc import Iterable
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from renewer import store
from renewer.errors import InputError, PlanError
from renewer.rules.calendar import FIRST_ANCHOR, LAST_DAY
from renewer.rules.plans import Revision

REQUIRED = {"code", "effective_from", "allowance", "rollover_cap"}
OPTIONAL = {"lifetime_months"}
LARGEST = 1_000_000
"""Largest allowance and cap: more is a slip of the keyboard."""
LONGEST = 1200
"""Longest lifetime, in months: a century."""

SHAPE = (
    'each [[plans]] has code = "text", effective_from = YYYY-MM-DD, allowance, '
    'rollover_cap = a number or "unlimited"'
)


def presets() -> list[str]:
    """Return the names of the plans that ship with renewer."""
    folder = resources.files("renewer.jobs") / "presets"
    return sorted(
        item.name.removesuffix(".toml")
        for item in folder.iterdir()
        if item.name.endswith(".toml")
    )


def read_plans(name: str) -> list[Revision]:
    """
    Return the revisions of a preset or of a TOML file.

    InputError says which line of thought went wrong.
    """
    if name in presets():
        text = (resources.files("renewer.jobs") / "presets" / f"{name}.toml").read_text(
            encoding="utf-8"
        )
    else:
        text = _read_file(Path(name))
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid TOML: {error}") from error
    plans = document.get("plans")
    if not isinstance(plans, list) or not plans:
        raise InputError(f"{name} has no plans: {SHAPE}")
    revisions = [
        _revision(f"{name}: plan {number}", plan)
        for number, plan in enumerate(plans, 1)
    ]
    _refuse_repeats(name, revisions)
    return revisions


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(
            f"there is no file {path}, and the presets are {', '.join(presets())}"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _revision(where: str, plan: Any) -> Revision:
    """Return the revision a table of the file describes."""
    if not isinstance(plan, dict):
        raise InputError(f"{where} is not a table: {SHAPE}")
    missing, unknown = REQUIRED - plan.keys(), plan.keys() - REQUIRED - OPTIONAL
    if missing:
        raise InputError(f"{where} has no {min(missing)}: {SHAPE}")
    if unknown:
        raise InputError(f"{where} has an unknown key {min(unknown)!r}: {SHAPE}")
    code, day, cap = plan["code"], plan["effective_from"], plan["rollover_cap"]
    if (
        not isinstance(code, str)
        or not 1 <= len(code) <= 64
        or not code.isprintable()
        or code != code.strip()
    ):
        raise InputError(f"{where}: code {code!r} is not a text of 1 to 64 characters")
    if type(day) is not date or not FIRST_ANCHOR <= day < LAST_DAY:
        raise InputError(
            f"{where}: effective_from {day!r} is not a date of ours: write it as "
            "2026-01-31, without quotes"
        )
    return Revision(
        code,
        day,
        _number(where, "allowance", plan["allowance"], 0),
        None if cap == "unlimited" else _number(where, "rollover_cap", cap, 0),
        _number(where, "lifetime_months", plan["lifetime_months"], 1, LONGEST)
        if "lifetime_months" in plan
        else None,
    )


def _number(where: str, name: str, value: Any, least: int, most: int = LARGEST) -> int:
    if type(value) is not int or not least <= value <= most:
        also = ', or "unlimited"' if name == "rollover_cap" else ""
        raise InputError(
            f"{where}: {name} {value!r} is not a whole number from {least} to "
            f"{most}{also}"
        )
    return value


def _refuse_repeats(name: str, revisions: Iterable[Revision]) -> None:
    seen = set()
    for revision in revisions:
        key = (revision.code, revision.effective_from)
        if key in seen:
            raise InputError(
                f"{name}: plan {revision.code!r} has two revisions from "
                f"{revision.effective_from}: keep one"
            )
        seen.add(key)


def record_plans(conn: store.Database, revisions: Iterable[Revision]) -> list[Revision]:
    """
    Put *revisions* on record, all or none, and return those that were new.

    A revision that is on record with the same values is left alone; one with other
    values is a PlanError. Members who failed for want of a plan are tried again.
    """
    added = []
    with conn.transaction():
        for revision in revisions:
            if store.add_plan(conn, revision):
                added.append(revision)
            elif revision not in store.find_plans(conn):
                raise PlanError(
                    f"plan {revision.code!r} from {revision.effective_from} is on "
                    "record with other values and stays as it is: "
                    "give the new rules a later effective_from",
                    plan=revision.code,
                )
        store.retry_failed(conn, {revision.code for revision in added})
    return added
