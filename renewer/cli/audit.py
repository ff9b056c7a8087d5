"""The command `audit`: what every cycle of a range brought, or why it did not."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from renewer.answers.wording import plural
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
from renewer.rules.cycle_history import CycleRecord, Flaw, cycle_history
from renewer.rules.plans import Plans
from renewer.store.auditing import find_audited
from renewer.store.connection import read_clock, snapshot
from renewer.store.members import count_members
from renewer.store.revisions import find_plans

SHOWN = 50
COLUMNS = (
    "member_id", "plan", "first_day", "last_day", "expected", "awarded", "late",
    "reason", "posted_at", "run_id", "flaw",
)  # fmt: skip
NUMBERS = ("cycles", "expected", "awarded", "of it made up later")

WORDS = {
    Flaw.MISSING: "never awarded",
    Flaw.DOUBLE: "awarded twice",
    Flaw.UNEXPLAINED: "differs without a reason",
}


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
    findings = Findings(JsonRows("cycles") if json else None)
    with _csv_rows(csv_file) as write, database.connected(note) as (_, conn):
        as_of = read_clock(conn)
        plans = Plans(find_plans(conn))
        if plan is not None and plan not in plans:
            raise InputError(
                f"unknown plan {plan!r}: the plans are {', '.join(plans.codes())}"
            )
        count = partial(count_members, conn)
        with snapshot(conn), progress("Auditing", count) as advance:
            for member, awards in find_audited(conn, first, last):
                member_id = member.member_id
                for each in cycle_history(member, awards, plans, first, last, as_of):
                    if plan is None or each.plan == plan:
                        findings.add(member_id, each)
                        write(member_id, each)
                findings.members += 1
                advance(1)
    findings.end(first, last, as_of)
    leave(wrong=findings.flaws > 0)


@dataclass(slots=True)
class Total:
    """What the cycles of one plan with one reason add up to."""

    cycles: int = 0
    expected: int = 0
    awarded: int = 0
    late: int = 0

    def add(self, each: CycleRecord) -> None:
        """Add one cycle."""
        self.cycles += 1
        self.expected += each.expected or 0
        self.awarded += each.awarded or 0
        self.late += each.late


class Findings:
    """What an audit found: totals, and the first flaws; with *rows*, every cycle."""

    def __init__(self, rows: JsonRows | None) -> None:
        self.members = 0
        self.flaws = 0
        self._rows = rows
        self._totals: dict[tuple[str, str, str], Total] = defaultdict(Total)
        self._shown: list[tuple[str, CycleRecord]] = []

    def add(self, member_id: str, each: CycleRecord) -> None:
        """Add one cycle of a member."""
        self._totals[each.plan, each.flaw or "", each.reason or ""].add(each)
        if self._rows is not None:
            self._rows.add(_as_row(member_id, each))
        if each.flaw is not None:
            self.flaws += 1
            if len(self._shown) < SHOWN:
                self._shown.append((member_id, each))

    def end(self, first: date, last: date, as_of: datetime) -> None:
        """Print the totals and, unless all is one document, the flaws."""
        totals = sorted(self._totals.items())
        cycles = sum(total.cycles for _, total in totals)
        if self._rows is not None:
            named = [
                {
                    "plan": plan,
                    "flaw": flaw or None,
                    "reason": reason or None,
                    **asdict(total),
                }
                for (plan, flaw, reason), total in totals
            ]
            self._rows.end(
                {
                    "ok": not self.flaws,
                    "from": first,
                    "to": last,
                    "as_of": as_of,
                    "members": self.members,
                    "flaws": self.flaws,
                    "totals": named,
                }
            )
            return
        say(
            f"{plural(cycles, 'cycle')} of {plural(self.members, 'member')} "
            f"{'begins' if cycles == 1 else 'begin'} from {first} to {last}; "
            f"as of {timestamp(as_of)}."
        )
        if not cycles:
            return
        self._print_totals()
        if self.flaws:
            self._print_flaws()
        else:
            say("Each was awarded once, or has its reason.")

    def _print_totals(self) -> None:
        made = table("plan", "why", *NUMBERS, numbers=NUMBERS)
        for (plan, flaw, reason), total in sorted(self._totals.items()):
            why = reason.replace("_", " ") or "as planned"
            if flaw:
                why = WORDS[Flaw(flaw)]
            counts = (total.cycles, total.expected, total.awarded, total.late)
            made.add_row(plan, why, *map(str, counts))
        print_table(made)

    def _print_flaws(self) -> None:
        made = table(
            "member", "cycle of", "expected", "awarded", "what is wrong",
            numbers=("expected", "awarded"),
        )  # fmt: skip
        for member_id, each in self._shown:
            assert each.flaw is not None
            amounts = (_amount(each.expected), _amount(each.awarded))
            first_day = str(each.first_day)
            made.add_row(member_id, first_day, *amounts, WORDS[each.flaw])
        print_table(made)
        if self.flaws > SHOWN:
            say(f"… and {self.flaws - SHOWN} more: --csv lists all.")


def _as_row(member_id: str, each: CycleRecord) -> dict[str, Any]:
    return {"member_id": member_id, **asdict(each)}


def _amount(number: int | None) -> str:
    return "—" if number is None else str(number)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


@contextmanager
def _csv_rows(path: Path | None) -> Iterator[Callable[[str, CycleRecord], None]]:
    """Yield what writes one cycle to the file at *path*; nothing without one."""
    if path is None:
        yield lambda *_: None
        return
    with _opened(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)

        def write(member_id: str, each: CycleRecord) -> None:
            values = _as_row(member_id, each) | {"posted_at": _iso(each.posted_at)}
            rows.writerow([values[name] for name in COLUMNS])

        yield write


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
