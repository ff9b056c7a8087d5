"""Checks on live data."""

from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from renewer import store
from renewer.answers.verification import INVARIANTS, Violation, find_violations
from renewer.cli.options import Json
from renewer.cli.output import console, note, print_json, print_table, progress, table
from renewer.host import database
from renewer.jobs.zones import fix_boundaries

SHOWN = 50


def verify(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            help="First move next boundaries to where the zone database has them now.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """
    Check the ledger's invariants on live data.

    Exit code 1, and the offending members, when one is broken.
    """
    with database.connected(note) as (conninfo, conn), progress("Verifying", None):
        fixed = fix_boundaries(conn, partial(store.connect, conninfo)) if fix else 0
        violations = list(find_violations(conn))
    if json:
        print_json(
            {
                "ok": not violations,
                **({"fixed": fixed} if fix else {}),
                "violations": [
                    {
                        "invariant": each.invariant,
                        "member_id": each.member_id,
                        "detail": each.detail,
                    }
                    for each in violations
                ],
            }
        )
    else:
        if fix:
            console().print(f"{fixed} boundaries moved.")
        _print(violations)
    raise typer.Exit(1 if violations else 0)


def _print(violations: list[Violation]) -> None:
    out = console()
    for number, sentence in INVARIANTS.items():
        broken = sum(each.invariant == number for each in violations)
        found = Text("broken", style="red") if broken else Text("    ok", style="green")
        out.print(
            found.append(
                f"  {number} {sentence}" + (f": {broken} times" if broken else ""),
                style="default",
            )
        )
    if violations:
        made = table("invariant", "member", "what is wrong", numbers=("invariant",))
        for each in violations[:SHOWN]:
            made.add_row(str(each.invariant), each.member_id or "—", each.detail)
        print_table(made)
    if len(violations) > SHOWN:
        out.print(
            f"… and {len(violations) - SHOWN} more: renewer verify --json lists all."
        )
