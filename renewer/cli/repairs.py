"""The command that repairs: cycles that were missed, or awarded too little."""

from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table

from renewer import store
from renewer.cli.options import AllowFuture, AsOf, Json, Members, resolve_as_of
from renewer.cli.output import (
    JsonRows,
    console,
    note,
    print_table,
    progress,
    signed,
    table,
    timestamp,
)
from renewer.cli.work import pass_options, stop_on_signal
from renewer.errors import InputError
from renewer.host import database
from renewer.host.logs import configure_logs
from renewer.jobs.backfill import backfill as repair_members
from renewer.jobs.passes import PassReport, log_pass
from renewer.rules.cycle import read_date
from renewer.rules.ledger import CatchUp, Kind
from renewer.rules.posting import Posting
from renewer.rules.repair import Repair

SHOWN = 200
LONGEST_REASON = 200


def backfill(
    start: Annotated[
        str,
        typer.Option(
            "--from", metavar="D", help="First day of the first cycle to repair."
        ),
    ],
    end: Annotated[
        str,
        typer.Option(
            "--to", metavar="D", help="First day of the last cycle to repair."
        ),
    ],
    member: Members = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="P", help="Only cycles this plan governs."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", metavar="R", help="Recorded with what is made up for."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what would be posted and write nothing."),
    ] = False,
    as_of: AsOf = None,
    allow_future: AllowFuture = False,
    json: Json = False,
) -> None:
    """
    Repair cycles whose first day lies from one date to another, both included.

    Boundaries never posted are posted, from the oldest. Cycles awarded less than their plan allows now (missed and
    caught up with 0, rules corrected since) get the difference once, as a late renewal of today; those that were 0
    because the member was suspended only for members named with `--member`. Members who are not active are left as
    they are. Safe to repeat, to stop and to run beside the hourly job.
    """
    repair = _read_repair(start, end, plan, reason, named=member is not None)
    report = Report(JsonRows("posted") if json else None)
    with database.connected(note) as (conninfo, conn), stop_on_signal() as stop:
        at = resolve_as_of(
            as_of, database.read_clock(conn), allow_future=allow_future or dry_run
        )
        total = store.count_members(conn) if member is None else len(member)
        configure_logs(quiet=console().is_terminal)
        with progress("Looking for gaps", total) as advance:

            def looked(members: int) -> None:
                report.looked += members
                advance(members)

            outcome = repair_members(
                partial(store.connect, conninfo),
                repair,
                as_of=at,
                options=pass_options(CatchUp.EACH),
                members=member,
                dry_run=dry_run,
                stop=stop,
                progress=looked,
                report=report.add,
            )
    log_pass(outcome, "backfill")
    report.end(outcome, repair)
    raise typer.Exit(1 if outcome.counts.failed else 0)


def _read_repair(
    start: str, end: str, plan: str | None, reason: str | None, *, named: bool
) -> Repair:
    """Return what the options ask for."""
    first, last = read_date("--from", start), read_date("--to", end)
    if first > last:
        raise InputError(
            f"--from {first} is after --to {last}: give the earlier day first"
        )
    if reason is not None and not (
        reason.isprintable() and 0 < len(reason.strip()) <= LONGEST_REASON
    ):
        raise InputError(
            f"--reason must be one line of 1 to {LONGEST_REASON} characters"
        )
    return Repair(first, last, plan, reason and reason.strip(), named)


@dataclass
class Report:
    """What a backfill prints: every entry it posts (a dry run: would post), then a summary by outcome."""

    rows: JsonRows | None
    looked: int = 0
    entries: int = 0
    renewed: int = 0
    late: int = 0
    shown: Table = field(
        default_factory=lambda: table(
            "member", "entry", "of", "amount", "balance", numbers=("amount", "balance")
        )
    )

    def add(self, posting: Posting) -> None:
        """Take note of one member's posting."""
        member_id = posting.before.member_id
        for entry in posting.entries:
            self.entries += 1
            self.renewed += entry.amount if entry.kind is Kind.RENEWAL else 0
            self.late += entry.amount if entry.kind is Kind.LATE_RENEWAL else 0
            of = entry.first_day or entry.occurred_at.date()
            if self.rows is not None:
                self.rows.add(
                    {
                        "member_id": member_id,
                        "kind": entry.kind,
                        "first_day": entry.first_day,
                        "amount": entry.amount,
                        "balance_after": entry.balance_after,
                        "occurred_at": entry.occurred_at,
                        "reason": entry.reason,
                    }
                )
            elif self.entries <= SHOWN:
                kind = entry.kind.value.replace("_", " ")
                self.shown.add_row(
                    member_id,
                    kind,
                    str(of),
                    signed(entry.amount),
                    str(entry.balance_after),
                )

    def end(self, outcome: PassReport, repair: Repair) -> None:
        """Print what is left to print."""
        if self.rows is not None:
            self.rows.end(self._document(outcome, repair))
            return
        out, counts = console(), outcome.counts
        if self.entries:
            print_table(self.shown)
        if self.entries > SHOWN:
            out.print(f"… and {self.entries - SHOWN} more entries: --json lists all.")
        summary = table(
            "outcome", "members", "Connects", numbers=("members", "Connects")
        )
        summary.add_row("boundaries posted", str(counts.renewed), signed(self.renewed))
        summary.add_row("made up for late", str(counts.late), signed(self.late))
        summary.add_row("nothing to repair", str(self.looked - counts.due), "")
        if counts.skipped:
            summary.add_row("busy, left for another run", str(counts.skipped), "")
        if counts.failed:
            summary.add_row("failed", str(counts.failed), "")
        print_table(summary)
        head = (
            "Dry run, nothing written"
            if outcome.run_id is None
            else f"Backfill {outcome.run_id}"
        )
        out.print(
            f"{head}: cycles that began from {repair.start} to {repair.end}, as of {timestamp(outcome.as_of)}; "
            f"{counts.entries} entries in {outcome.seconds:.1f} s."
        )
        for member_id, message in outcome.failures:
            note(f"{member_id}: {message}")
        if counts.failed > len(outcome.failures):
            note(
                f"… and {counts.failed - len(outcome.failures)} more: renewer status lists them."
            )
        if outcome.stopped:
            out.print("Stopped before the end: run it again for the rest.")

    def _document(self, outcome: PassReport, repair: Repair) -> dict[str, Any]:
        counts = outcome.counts
        return {
            "run_id": outcome.run_id,
            "as_of": outcome.as_of,
            "from": repair.start,
            "to": repair.end,
            "looked": self.looked,
            "due": counts.due,
            "renewed": counts.renewed,
            "late": counts.late,
            "skipped": counts.skipped,
            "failed": counts.failed,
            "entries": counts.entries,
            "connects": {"renewed": self.renewed, "late": self.late},
            "seconds": outcome.seconds,
            "stopped": outcome.stopped,
            "failures": [
                {"member_id": member_id, "error": message}
                for member_id, message in outcome.failures
            ],
        }
