"""The command `import`: bring members in from a file."""

from datetime import timedelta
from typing import Annotated

import typer

from renewer.answers.wording import plural
from renewer.cli.options import AllowFuture, AsOf, Json, resolve_as_of
from renewer.cli.output import leave, note, print_json, progress, say
from renewer.errors import InputError
from renewer.host import database
from renewer.jobs import importing
from renewer.rules.plans import Plans
from renewer.store.connection import read_clock
from renewer.store.revisions import find_plans
from renewer.store.watch import take_census


class BadLines:
    """
    What was wrong with a file: every line for JSON and with --all, else by reason.

    Of a reason it keeps how many lines have it and the first of them.
    """

    def __init__(self, *, every: bool, json: bool) -> None:
        self.listed: list[dict[str, object]] = []
        self._reasons: dict[str, list[int]] = {}
        self._others = 0
        self._every = every
        self._json = json

    def add(self, line: int, reason: str) -> None:
        """Take note of one bad line."""
        if self._json:
            self.listed.append({"line": line, "reason": reason})
        elif self._every:
            note(f"line {line}: {reason}")
        elif reason in self._reasons:
            self._reasons[reason][1] += 1
        elif len(self._reasons) < SHOWN_REASONS:
            self._reasons[reason] = [line, 1]
        else:
            self._others += 1

    def tell(self) -> None:
        """Say on stderr what was wrong, each reason once."""
        for reason, (first, count) in self._reasons.items():
            if count == 1:
                note(f"line {first}: {reason}")
            else:
                note(f"{count:,} lines: {reason}, e.g. line {first} (--all names each)")
        if self._others:
            bad = "lines are"
            if self._others == 1:
                bad = "line is"
            note(f"{self._others:,} more {bad} bad for other reasons: --all names each")


SHOWN_REASONS = 20


def import_(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE.csv", help="The file, or - for stdin."),
    ],
    as_of: AsOf = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Import the good lines of a file with bad ones."
        ),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Name every bad line, not each reason once.")
    ] = False,
    update: Annotated[bool, typer.Option("--update", hidden=True)] = False,
    allow_future: AllowFuture = False,
    json: Json = False,
) -> None:
    """
    Import members from a CSV file with a header.

    Columns: `member_id,plan,anchor_on,timezone,status,balance`, the last three
    optional, separated by commas, semicolons or tabs. Every bad line is named and
    nothing is imported, unless `--skip-bad`. A balance belongs to the cycle that
    contains `--as-of`.
    """
    if update:
        raise InputError(
            "import only adds members: one who is on record changes by a call of the "
            "marketplace (change_plan, set_status, set_timezone), which the ledger "
            "then explains"
        )
    bad_lines = BadLines(every=every, json=json)
    with database.connected(note) as (_, conn):
        at = resolve_as_of(as_of, read_clock(conn), allow_future=allow_future)
        known = Plans(find_plans(conn))
        with progress("Reading") as advance:
            done = importing.import_members(
                conn,
                file,
                known,
                at,
                skip_bad=skip_bad,
                on_bad=bad_lines.add,
                progress=advance,
            )
        if done.imported:
            # So that `status` tells of the members who are there now.
            take_census(conn, timedelta(0))
    if json:
        print_json(
            {
                "as_of": at,
                "columns": done.columns,
                "imported": done.imported,
                "bad": done.bad,
                "bad_lines": bad_lines.listed,
            }
        )
        leave(wrong=done.bad > 0)
    note(f"Columns read: {', '.join(done.columns)}.")
    bad_lines.tell()
    bad = plural(done.bad, "bad line")
    if done.bad and not skip_bad:
        say(
            f"Nothing imported: {bad}. Mend what is wrong, or import the rest with "
            "--skip-bad."
        )
    else:
        left_out = ""
        if done.bad:
            left_out = f", {bad} left out"
        if not done.imported and not done.bad:
            left_out = ": the file has no line below its header"
        say(f"{plural(done.imported, 'member')} imported{left_out}.")
    leave(wrong=done.bad > 0)
