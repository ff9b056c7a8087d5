"""The command `verify`: check the invariants of the ledger on live data."""

import sys
import time
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer
from rich.text import Text

from renewer.answers.seals import Chain
from renewer.answers.verification import INVARIANTS, Looked, Violation, find_violations
from renewer.answers.wording import many, plural
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
from renewer.store.connection import Database, connect
from renewer.store.members import count_members
from renewer.store.watch import begin_verification, may_record, record_verification

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
        # A head that is none is refused before anything is looked at.
        chain = Chain(conn, head) if seals or head is not None else None
        fixed = None
        if fix:
            fixed = fix_boundaries(conn, partial(connect, conninfo))
        looked, began = Looked(), time.monotonic()
        violations = _look(conn, looked)
        if chain is not None:
            violations += [Violation(2, None, each) for each in chain.find_breaks()]
        if may_record(conn):
            # So that an alert ends when what it told of was mended.
            _record(conn, looked, len(violations))
        seconds = round(time.monotonic() - began, 1)
    if json:
        looked_at = {**asdict(looked), "seconds": seconds}
        print_json(_as_document(looked_at, violations, fixed, chain))
    else:
        if fixed is not None:
            say(f"{plural(fixed, 'boundary', 'boundaries')} moved.")
        _print_looked(looked, seconds)
        if chain is not None:
            _print_chain(chain)
        _print(violations)
    raise typer.Exit(1 if violations else 0)


def _look(conn: Database, looked: Looked) -> list[Violation]:
    """Return what is broken, and show meanwhile how far the verification is."""
    total = count_members(conn) if sys.stderr.isatty() else None
    shown = 0
    with progress("Verifying", total) as advance:

        def show(_seconds: float) -> bool:
            nonlocal shown
            advance(looked.members - shown)
            shown = looked.members
            return True

        return list(find_violations(conn, looked, show))


def _as_document(
    looked_at: dict[str, Any],
    violations: list[Violation],
    fixed: int | None,
    chain: Chain | None,
) -> dict[str, Any]:
    """Return the JSON document; what was not asked for is left out."""
    document: dict[str, Any] = {"ok": not violations}
    if fixed is not None:
        document["fixed"] = fixed
    document["looked_at"] = looked_at
    if chain is not None:
        document["seals"] = _describe(chain)
    document["violations"] = [asdict(each) for each in violations]
    return document


def _describe(chain: Chain) -> dict[str, Any]:
    head = None if chain.last is None else chain.last.head
    return {"compared": chain.compared, "entries": chain.entries, "head": head}


def _print_chain(chain: Chain) -> None:
    if chain.last is None:
        say("Nothing is sealed yet: run `renewer seal`.")
        return
    say(
        f"Compared {many(chain.compared, 'seal')} with "
        f"{many(chain.entries, 'entry', 'entries')} up to "
        f"{timestamp(chain.last.mark.ticked_at)}. Head:"
    )
    console().print(chain.last.head, soft_wrap=True)


def _record(conn: Database, looked: Looked, violations: int) -> None:
    number = begin_verification(conn, hours=0)
    if number is not None:
        record_verification(
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
        many(looked.members, "member"),
        many(looked.entries, "entry", "entries"),
        many(looked.lots, "lot"),
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
