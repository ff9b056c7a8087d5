"""Reads plan revisions from TOML and puts them on record."""

import tomllib
from collections.abc import Iterable
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

from renewer.errors import InputError, PlanError
from renewer.rules.calendar import FIRST_ANCHOR, LAST_DAY
from renewer.rules.plans import RULES, Revision
from renewer.store.connection import Database
from renewer.store.revisions import add_plan, find_plans, retry_failed

REQUIRED = {"code", "effective_from"} | {
    name for name, rule in RULES.items() if not rule.is_optional
}
OPTIONAL = {name for name, rule in RULES.items() if rule.is_optional}

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

    InputError names the file, the plan and the key that is wrong.
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
    code, day = plan["code"], plan["effective_from"]
    if not (isinstance(code, str) and 1 <= len(code) <= 64 and is_plain(code)):
        raise InputError(f"{where}: code {code!r} is not a text of 1 to 64 characters")
    if type(day) is not date or not FIRST_ANCHOR <= day < LAST_DAY:
        raise InputError(
            f"{where}: effective_from {day!r} is not a date from {FIRST_ANCHOR} to "
            f"{LAST_DAY}: write it as 2026-01-31, without quotes"
        )
    rules = {
        name: _read_rule(where, name, plan[name]) for name in RULES if name in plan
    }
    return Revision(code, day, **rules)


def is_plain(text: str) -> bool:
    """Whether *text* has no control characters, and no space at either end."""
    return text.isprintable() and text == text.strip()


def _read_rule(where: str, name: str, given: Any) -> Any:
    """Return the value of one rule; None for its word for no limit."""
    rule, also = RULES[name], ""
    if rule.unlimited is not None:
        if given == rule.unlimited:
            return None
        also = f', or "{rule.unlimited}"'
    if type(given) is not int or not rule.least <= given <= rule.most:
        raise InputError(
            f"{where}: {name} {given!r} is not a whole number from {rule.least} to "
            f"{rule.most}{also}"
        )
    return given


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


def record_plans(conn: Database, revisions: Iterable[Revision]) -> list[Revision]:
    """
    Put *revisions* on record, all or none, and return those that were new.

    A revision that is on record with the same values is left alone; one with other
    values is a PlanError. Members who failed for want of a plan are tried again.
    """
    added = []
    with conn.transaction():
        for revision in revisions:
            if add_plan(conn, revision):
                added.append(revision)
            elif revision not in find_plans(conn):
                raise PlanError(
                    f"plan {revision.code!r} from {revision.effective_from} is on "
                    "record with other values and stays as it is: "
                    "give the new rules a later effective_from",
                    plan=revision.code,
                )
        retry_failed(conn, {revision.code for revision in added})
    return added
