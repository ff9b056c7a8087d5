"""The command `audit`: what every cycle of a range brought, or why it did not."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from renewer.answers.wording import plural, reason_in_words
from renewer.cli.options import Json, read_days
from renewer.cli.output import (
    JsonRows,
    leave,
    note,
    print_table,
    progress,
    say,
    table,
    timestamp,
)
from renewer.errors import InputError
from renewer.host import database
from renewer.rules.cycle_history import CycleRecord, cycle_history
from renewer.rules.plans import Plans
from renewer.store.auditing import find_audited
from renewer.store.connection import read_clock, snapshot
from renewer.store.members import count_members
from renewer.store.revisions import find_plans

SHOWN = 50
COLUMNS = ("member_id", *(each.name for each in fields(CycleRecord)))
NUMBERS = ("cycles", "expected", "awarded", "of it made up later")


def audit(
    start: Annotated[
        str, typer.Option("--from", metavar="D", help="First day of the range.")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="D", help="Last day of the range.")
    ],
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="P", help="Only cycles this plan governs."),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Also write a row a member and cycle."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """
    Show that every cycle that begins in a range was awarded once, or why not.

    Each cycle is compared with the plans on record. Totals by plan and reason; exit
    code 1 when a cycle is missing, was awarded twice or differs without a reason.
    """
    first, last = read_days(start, end)
    with _csv_writer(csv_file) as csv_rows, database.connected(note) as (_, conn):
        findings = Findings(JsonRows("cycles") if json else None, csv_rows)
        as_of = read_clock(conn)
        plans = Plans(find_plans(conn))
        if plan is not None and plan not in plans:
            raise InputError(
                f"unknown plan {plan!r}: the plans are {', '.join(plans.codes())}"
            )
        count = partial(count_members, conn)
        with snapshot(conn), progress("Auditing", count) as advance:
            for member, awards in find_audited(conn, first, last):
                for each in cycle_history(member, awards, plans, first, last, as_of):
                    if plan is None or each.plan == plan:
                        findings.add(member.member_id, each)
                findings.members += 1
                advance(1)
    findings.end(first, last, as_of)
    leave(wrong=findings.flaws > 0)


class Findings:
    """Totals and first flaws of an audit; each cycle is written to the rows given."""

    def __init__(self, json_rows: JsonRows | None, csv_rows: Any) -> None:
        self.members = 0
        self.flaws = 0
        self._json_rows = json_rows
        self._csv_rows = csv_rows
        self._totals: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        self._shown: list[tuple[str, CycleRecord]] = []

    def add(self, member_id: str, each: CycleRecord) -> None:
        """Add one cycle of a member."""
        self._totals[each.plan, each.flaw or "", each.reason or ""].update(
            cycles=1,
            expected=each.expected or 0,
            awarded=each.awarded or 0,
            late=each.late,
        )
        if each.flaw is not None:
            self.flaws += 1
            if len(self._shown) < SHOWN:
                self._shown.append((member_id, each))
        if self._json_rows is not None:
            self._json_rows.add({"member_id": member_id, **asdict(each)})
        if self._csv_rows is not None:
            row = {"member_id": member_id, **asdict(each)}
            if each.posted_at is not None:
                row["posted_at"] = each.posted_at.isoformat()
            self._csv_rows.writerow(row)

    def end(self, first: date, last: date, as_of: datetime) -> None:
        """Print the totals and the flaws, or the rest of the JSON document."""
        if self._json_rows is not None:
            totals = [
                {"plan": plan, "flaw": flaw or None, "reason": reason or None, **total}
                for (plan, flaw, reason), total in sorted(self._totals.items())
            ]
            rest = {"ok": not self.flaws, "from": first, "to": last, "as_of": as_of}
            rest |= {"members": self.members, "flaws": self.flaws, "totals": totals}
            self._json_rows.end(rest)
            return
        cycles = sum(total["cycles"] for total in self._totals.values())
        say(
            f"{plural(cycles, 'cycle')} of {plural(self.members, 'member')} "
            f"{'begins' if cycles == 1 else 'begin'} from {first} to {last}; "
            f"as of {timestamp(as_of)}."
        )
        if cycles:
            self._print_totals()
            self._print_flaws()

    def _print_totals(self) -> None:
        made = table("plan", "why", *NUMBERS, numbers=NUMBERS)
        for (plan, flaw, reason), total in sorted(self._totals.items()):
            why = "as planned"
            if flaw or reason:
                why = reason_in_words(flaw or reason).name
            made.add_row(plan, why, *map(str, total.values()))
        print_table(made)

    def _print_flaws(self) -> None:
        if not self.flaws:
            say("Each was awarded once, or has its reason.")
            return
        made = table(
            "member", "cycle of", "expected", "awarded", "what is wrong",
            numbers=("expected", "awarded"),
        )  # fmt: skip
        for member_id, each in self._shown:
            amounts = (_amount(each.expected), _amount(each.awarded))
            wrong = reason_in_words(each.flaw).name
            made.add_row(member_id, str(each.first_day), *amounts, wrong)
        print_table(made)
        if self.flaws > SHOWN:
            say(f"… and {self.flaws - SHOWN} more: --csv lists all.")


def _amount(number: int | None) -> str:
    return "—" if number is None else str(number)


@contextmanager
def _csv_writer(path: Path | None) -> Iterator[Any]:
    """Yield the writer of rows to the file at *path*; None without a path."""
    if path is None:
        yield None
        return
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            rows.writeheader()
            yield rows
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
