"""Checks on live data."""

import sys
import time
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer
from rich.text import Text

from renewer import store
from renewer.answers.seals import Chain
from renewer.answers.verification import INVARIANTS, Looked, Violation, find_violations
from renewer.answers.wording import plural
from renewer.cli.options import Json
from renewer.cli.output import (
    console,
    note,
    print_json,
    print_table,
    progress,
    say,
    table,
    timestamp,
)
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
    seals: Annotated[
        bool,
        typer.Option("--seals", help="Also compare the ledger with its seals."),
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="NUMBER:HASH",
            help="A head that was kept elsewhere: the seals have to hold it.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """
    Check the ledger's invariants on live data.

    Exit code 1, and the offending members, when one is broken.
    """
    with database.connected(note) as (conninfo, conn):
        fixed = fix_boundaries(conn, partial(store.connect, conninfo)) if fix else 0
        looked, began = Looked(), time.monotonic()
        violations = _look(conn, looked)
        chain = Chain(conn, head) if seals or head is not None else None
        if chain is not None:
            violations += [Violation(2, None, each) for each in chain.find_breaks()]
        if store.may_record(conn):
            # So that an alert ends when what it told of was mended.
            _record(conn, looked, len(violations))
        seconds = round(time.monotonic() - began, 1)
    if json:
        print_json(
            {
                "ok": not violations,
                **({"fixed": fixed} if fix else {}),
                "looked_at": {**asdict(looked), "seconds": seconds},
                **({} if chain is None else {"seals": _describe(chain)}),
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
            say(f"{plural(fixed, 'boundary', 'boundaries')} moved.")
        _print_looked(looked, seconds)
        if chain is not None:
            _print_chain(chain)
        _print(violations)
    raise typer.Exit(1 if violations else 0)


def _look(conn: store.Database, looked: Looked) -> list[Violation]:
    """Return what is broken, and show meanwhile how far the verification is."""
    total = store.count_members(conn) if sys.stderr.isatty() else None
    shown = 0
    with progress("Verifying", total) as advance:

        def show(_seconds: float) -> bool:
            nonlocal shown
            advance(looked.members - shown)
            shown = looked.members
            return True

        return list(find_violations(conn, looked, show))


def _describe(chain: Chain) -> dict[str, Any]:
    head = None if chain.last is None else chain.last.head
    return {"compared": chain.compared, "entries": chain.entries, "head": head}


def _print_chain(chain: Chain) -> None:
    if chain.last is None:
        console().print("Nothing is sealed yet: run `renewer seal`.")
        return
    seals = "seal" if chain.compared == 1 else "seals"
    console().print(
        f"Compared {chain.compared:,} {seals} with {chain.entries:,} entries up to "
        f"{timestamp(chain.last.mark.ticked_at)}. Head:"
    )
    console().print(chain.last.head, soft_wrap=True)


def _record(conn: store.Database, looked: Looked, violations: int) -> None:
    number = store.begin_verification(conn, hours=0)
    if number is not None:
        store.record_verification(
            conn,
            number,
            members=looked.members,
            entries=looked.entries,
            violations=violations,
            finished=True,
        )


def _print_looked(looked: Looked, seconds: float) -> None:
    """Say what the verification is evidence of."""
    counted = [
        f"{looked.members:,} {'member' if looked.members == 1 else 'members'}",
        f"{looked.entries:,} {'entry' if looked.entries == 1 else 'entries'}",
        f"{looked.lots:,} {'lot' if looked.lots == 1 else 'lots'}",
    ]
    span = "no entry yet"
    if looked.since_at is not None and looked.until_at is not None:
        span = f"from {timestamp(looked.since_at)} to {timestamp(looked.until_at)}"
    say(f"Looked at {', '.join(counted)}, {span}, in {seconds} s.")


def _print(violations: list[Violation]) -> None:
    out = console()
    for number, sentence in INVARIANTS.items():
        broken = sum(each.invariant == number for each in violations)
        times = plural(broken, "violation")
        found = Text("broken", style="red") if broken else Text("    ok", style="green")
        out.print(
            found.append(
                f"  {number} {sentence}" + (f": {times}" if broken else ""),
                style="default",
            )
        )
    if violations:
        made = table("invariant", "member", "what is wrong", numbers=("invariant",))
        for each in violations[:SHOWN]:
            made.add_row(str(each.invariant), each.member_id or "—", each.detail)
        print_table(made)
    if len(violations) > SHOWN:
        say(f"… and {len(violations) - SHOWN} more: renewer verify --json lists all.")
