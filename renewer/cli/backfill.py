"""The command `backfill`: repair cycles that were missed or awarded too little."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer
from rich.table import Table

from renewer.answers.wording import plural, signed
from renewer.cli.options import (
    AllowFuture,
    AsOf,
    Json,
    Members,
    read_days,
    resolve_as_of,
)
from renewer.cli.output import (
    JsonRows,
    is_watched,
    note,
    print_table,
    progress,
    say,
    table,
    timestamp,
)
from renewer.cli.rehearsal import entry_document
from renewer.cli.run import pass_options
from renewer.cli.signals import stop_on_signal
from renewer.errors import InputError
from renewer.host import database
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings
from renewer.jobs.backfill import backfill as repair_members
from renewer.jobs.counts import BatchResult
from renewer.jobs.pass_request import PassRequest
from renewer.jobs.recorder import PassObserver, PassReport, log_pass
from renewer.rules.backfill import Backfill
from renewer.rules.ledger import CatchUp, Entry, Kind
from renewer.rules.posting import Posting
from renewer.store.connection import connect
from renewer.store.members import count_members

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
    Backfill cycles whose first day lies from one date to another, both included.

    Boundaries never posted are posted, from the oldest. Cycles awarded less than their
    plan allows now (missed and caught up with 0, rules corrected since) get the
    difference once, as a late renewal of today; those that were 0 because the member
    was suspended only for members named with `--member`. Members who are not active are
    left as they are. Safe to repeat, to stop and to run beside the hourly job.
    """
    repair = _read_repair(start, end, plan, reason, named=member is not None)
    report = Report(JsonRows("posted") if json else None)
    with database.connected(note) as (conninfo, conn), stop_on_signal() as stop:
        at = resolve_as_of(
            as_of, database.read_clock(conn), allow_future=allow_future or dry_run
        )
        patience_s = read_settings().statement_timeout
        total = count_members(conn) if member is None else len(member)
        configure_logs(quiet=is_watched())
        with progress("Looking for gaps", total) as advance:
            report.advance = advance
            options = pass_options(CatchUp.EACH, conninfo)
            outcome = repair_members(
                partial(connect, conninfo, patience_s=patience_s, stop=stop),
                repair,
                PassRequest(at, options, members=member, dry_run=dry_run),
                stop,
                report,
            )
    log_pass(outcome, "backfill")
    report.end(outcome, repair)
    raise typer.Exit(1 if outcome.counts.failed else 0)


def _read_repair(
    start: str, end: str, plan: str | None, reason: str | None, *, named: bool
) -> Backfill:
    """Return what the options ask for."""
    first, last = read_days(start, end)
    if reason is not None and not (
        reason.isprintable() and 0 < len(reason.strip()) <= LONGEST_REASON
    ):
        raise InputError(
            f"--reason must be one line of 1 to {LONGEST_REASON} characters"
        )
    return Backfill(first, last, plan, reason and reason.strip(), named)


AMOUNTS = ("amount", "balance")


class Report(PassObserver):
    """
    What a backfill prints: the entries it posts, then a summary by outcome.

    A dry run prints what it would post. With *rows* all of it is one JSON document.
    """

    def __init__(self, rows: JsonRows | None) -> None:
        self.looked = 0
        self.advance: Callable[[int], None] = lambda _: None
        self._rows = rows
        self._entries = 0
        self._renewed = 0
        self._late = 0
        self._shown = table("member", "entry", "of", *AMOUNTS, numbers=AMOUNTS)

    def members_read(self, number: int) -> None:
        """Count *number* members more that were looked at."""
        self.looked += number
        self.advance(number)

    def batch_done(self, batch: BatchResult) -> None:
        """Print or keep the entries of a batch."""
        for posting in batch.postings:
            self._add(posting)

    def _add(self, posting: Posting) -> None:
        """Take note of one member's posting."""
        for entry in posting.entries:
            self._entries += 1
            if entry.kind is Kind.RENEWAL:
                self._renewed += entry.amount
            if entry.kind is Kind.LATE_RENEWAL:
                self._late += entry.amount
            if self._rows is not None:
                self._rows.add(entry_document(posting.before.member_id, entry))
            elif self._entries <= SHOWN:
                self._show(posting.before.member_id, entry)

    def _show(self, member_id: str, entry: Entry) -> None:
        kind = entry.kind.value.replace("_", " ")
        of = str(entry.first_day or entry.occurred_at.date())
        amount, balance = signed(entry.amount), str(entry.balance_after)
        self._shown.add_row(member_id, kind, of, amount, balance)

    def end(self, outcome: PassReport, repair: Backfill) -> None:
        """Print what is left to print."""
        if self._rows is not None:
            self._rows.end(self._document(outcome, repair))
            return
        counts = outcome.counts
        if self._entries:
            print_table(self._shown)
        if self._entries > SHOWN:
            say(f"… and {self._entries - SHOWN} more entries: --json lists all.")
        print_table(self._summary(outcome))
        head = "Dry run, nothing written"
        if outcome.run_id is not None:
            head = f"Backfill {outcome.run_id}"
        say(
            f"{head}: cycles that began from {repair.start} to {repair.end}, as of "
            f"{timestamp(outcome.as_of)}; "
            f"{plural(counts.entries, 'entry', 'entries')} in {outcome.seconds:.1f} s."
        )
        for member_id, message in outcome.failures:
            note(f"{member_id}: {message}")
        hidden = counts.failed - len(outcome.failures)
        if hidden:
            note(f"… and {hidden} more: renewer status lists them.")
        if outcome.stopped:
            say("Stopped before the end: run it again for the rest.")

    def _summary(self, outcome: PassReport) -> Table:
        """Return how many members had which outcome, and the Connects they got."""
        counts, numbers = outcome.counts, ("members", "Connects")
        made = table("outcome", *numbers, numbers=numbers)
        made.add_row("boundaries posted", str(counts.renewed), signed(self._renewed))
        made.add_row("made up for late", str(counts.late), signed(self._late))
        made.add_row("nothing to repair", str(self.looked - counts.due), "")
        if counts.skipped:
            made.add_row("busy, left for another run", str(counts.skipped), "")
        if counts.failed:
            made.add_row("failed", str(counts.failed), "")
        return made

    def _document(self, outcome: PassReport, repair: Backfill) -> dict[str, Any]:
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
            "connects": {"renewed": self._renewed, "late": self._late},
            "seconds": outcome.seconds,
            "stopped": outcome.stopped,
            "failures": [
                {"member_id": member_id, "error": message}
                for member_id, message in outcome.failures
            ],
        }
