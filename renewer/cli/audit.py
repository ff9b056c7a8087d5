"""Checks on live data."""

import typer

from renewer.cli import database
from renewer.cli.options import Json
from renewer.cli.output import console, print_json, print_table, progress, table
from renewer.verification import INVARIANTS, Violation, find_violations

SHOWN = 50


def verify(json: Json = False) -> None:
    """Check the ledger's invariants on live data; exit code 1 and the offending members when one is broken."""
    with database.connected() as (_, conn), progress("Verifying", None):
        violations = list(find_violations(conn))
    if json:
        print_json(
            {
                "ok": not violations,
                "violations": [
                    {"invariant": each.invariant, "member_id": each.member_id, "detail": each.detail}
                    for each in violations
                ],
            }
        )
    else:
        _print(violations)
    raise typer.Exit(1 if violations else 0)


def _print(violations: list[Violation]) -> None:
    out = console()
    for number, sentence in INVARIANTS.items():
        broken = sum(each.invariant == number for each in violations)
        out.print(
            f"{'[red]broken[/red]' if broken else '[green]ok[/green]':>6}  {number} {sentence}"
            + (f": {broken} times" if broken else "")
        )
    if violations:
        made = table("invariant", "member", "what is wrong", numbers=("invariant",))
        for each in violations[:SHOWN]:
            made.add_row(str(each.invariant), each.member_id, each.detail)
        print_table(made)
    if len(violations) > SHOWN:
        out.print(f"… and {len(violations) - SHOWN} more: renewer verify --json lists all.")
