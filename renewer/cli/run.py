"""The command `run`: one pass, now."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import typer

from renewer.answers.wording import plural
from renewer.cli.options import (
    AllowFuture,
    AsOf,
    CatchUpOption,
    Json,
    Members,
    resolve_as_of,
)
from renewer.cli.output import (
    is_watched,
    leave,
    note,
    print_json,
    progress,
    say,
    timestamp,
)
from renewer.cli.rehearsal import Rehearsal
from renewer.cli.signals import stop_on_signal
from renewer.host import database
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings
from renewer.jobs.counts import BatchResult
from renewer.jobs.pass_request import HelperSettings, PassOptions, PassRequest
from renewer.jobs.recorder import PassObserver, PassReport, log_pass
from renewer.jobs.renewal import renew_due
from renewer.rules.ledger import CatchUp
from renewer.store.connection import Database, connect
from renewer.store.members import count_due


def pass_options(catch_up: CatchUp | None, conninfo: str) -> PassOptions:
    """
    Return how passes over *conninfo* work here.

    *catch_up* comes before the environment's settings.
    """
    settings = read_settings()
    return PassOptions(
        catch_up or settings.catch_up,
        settings.threads,
        settings.batch_size,
        HelperSettings(settings.processes, conninfo, settings.statement_timeout),
    )


class RunObserver(PassObserver):
    """Advances the progress bar and, in a dry run, fills the *rehearsal*."""

    def __init__(
        self, advance: Callable[[int], None], rehearsal: Rehearsal | None
    ) -> None:
        self._advance = advance
        self._rehearsal = rehearsal

    def batch_done(self, batch: BatchResult) -> None:
        """Take note of a batch."""
        self._advance(batch.counts.due)
        if self._rehearsal is not None:
            for posting in batch.postings:
                self._rehearsal.add(posting)


def run(
    as_of: AsOf = None,
    member: Members = None,
    catch_up: CatchUpOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be done and write nothing."),
    ] = False,
    allow_future: AllowFuture = False,
    json: Json = False,
) -> None:
    """
    Post all that is due, once, and leave.

    Safe to repeat and to run beside others. Exit code 1 means that members failed: they
    are tried again by a later pass and delay nobody.
    """
    patience_s = read_settings().statement_timeout
    with database.connected(note) as (conninfo, conn), stop_on_signal() as stop:
        now = database.read_clock(conn)
        at = resolve_as_of(as_of, now, allow_future=allow_future or dry_run)
        options = pass_options(catch_up, conninfo)
        configure_logs(quiet=is_watched())
        rehearsal = Rehearsal(named=member is not None)
        with progress("Renewing", partial(_count, conn, at, member)) as advance:
            outcome = renew_due(
                partial(connect, conninfo, patience_s=patience_s, stop=stop),
                PassRequest(at, options, members=member, dry_run=dry_run),
                stop,
                RunObserver(advance, rehearsal if dry_run else None),
            )
    log_pass(outcome)
    if json:
        rehearsed = rehearsal.as_document() if dry_run else {}
        print_json(as_document(outcome) | rehearsed)
    else:
        _print_outcome(outcome)
        rehearsal.print()
    leave(wrong=bool(outcome.counts.failed or outcome.left))


def _count(
    conn: Database, as_of: datetime, members: Sequence[str] | None
) -> int | None:
    # Every node of a cluster would be asked, and one may be away.
    return None if conn.distributed else count_due(conn, as_of, members)


def as_document(outcome: PassReport) -> dict[str, Any]:
    """Return a pass's outcome as its JSON document."""
    return {
        "run_id": outcome.run_id,
        "as_of": outcome.as_of,
        **{
            name: number
            for name, number in outcome.counts.as_dict().items()
            if name != "late"
        },
        "seconds": outcome.seconds,
        "stopped": outcome.stopped,
        "left": outcome.left,
        "failures": [
            {"member_id": member_id, "error": message}
            for member_id, message in outcome.failures
        ],
    }


def _print_outcome(outcome: PassReport) -> None:
    counts = outcome.counts
    head = "Dry run, nothing written"
    if outcome.run_id is not None:
        head = f"Pass {outcome.run_id}"
    wrong = bool(counts.failed or outcome.left)
    parts = [f"{counts.due} due", f"{counts.renewed} renewed"]
    parts += [
        f"{number} {name}"
        for name, number in counts.as_dict().items()
        if number and name in SELDOM
    ]
    say(
        f"{head} as of {timestamp(outcome.as_of)}: {', '.join(parts)}; "
        f"{plural(counts.entries, 'entry', 'entries')} in {outcome.seconds:.1f} s.",
        style="red" if wrong else None,
    )
    for member_id, message in outcome.failures:
        note(f"{member_id}: {message}")
    if outcome.stopped:
        say("Stopped before the end.")
    if outcome.left:
        are = "members are"
        if outcome.left == 1:
            are = "member is"
        say(f"{outcome.left} {are} still due: the next pass renews them.")


SELDOM = ("expired", "applied", "skipped", "failed")
