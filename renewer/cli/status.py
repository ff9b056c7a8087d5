"""The command `status`: how far behind the job is."""

from datetime import UTC
from typing import Annotated, NoReturn

import typer

from renewer.answers.health import LATE, Light, find_health
from renewer.answers.overview import StatusDocument, find_status
from renewer.answers.wording import age, plural
from renewer.cli.failures import SHOWN, print_failures
from renewer.cli.options import AsOf, Json, resolve_as_of
from renewer.cli.output import (
    console,
    note,
    print_json,
    print_table,
    say,
    table,
    timestamp,
)
from renewer.host import database
from renewer.store import schema
from renewer.store.connection import connect, read_clock, snapshot
from renewer.store.runs import count_failures, find_failures

RUNS = 10


def status(
    as_of: AsOf = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Print one line, and leave with 1 when all is not well."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """
    Show how far behind the job is, the last passes, and the members that failed.

    The lag is the age of the oldest due member that is neither failing nor parked. With
    --check it is for cron, monitors and probes: the last pass succeeded, no member is
    late or failing, no worker stopped without signing out, the clocks agree, and no
    commit may be lost.
    """
    if check:
        _check(json)
    with database.connected(note) as (_, conn), snapshot(conn):
        at = resolve_as_of(as_of, read_clock(conn), allow_future=True)
        document = find_status(conn, at)
        failed = count_failures(conn)
        failures = [] if json else find_failures(conn, SHOWN)
    if json:
        print_json(document)
        return
    _print_health(document)
    _print_census(document)
    _print_runs(document)
    print_failures(failed, failures)


def _print_health(document: StatusDocument) -> None:
    """Print the lag, what is not well, and when the next member becomes due."""
    at, oldest_at = document.as_of, document.oldest_due_at
    due = f"As of {timestamp(at)}: {plural(document.due, 'member')} due"
    if oldest_at is None:
        say(f"{due}, no lag.")
    else:
        lag = at - oldest_at
        style = "red" if lag > LATE else None
        say(f"{due}, the oldest since {timestamp(oldest_at)} ({age(lag)}).", style)
    if document.problems:
        style = "red" if document.light is Light.FAILING else None
        say(f"Not well: {'; '.join(document.problems)}.", style)
    if document.next_due_at is not None:
        say(f"The next one becomes due at {timestamp(document.next_due_at)}.")


def _print_census(document: StatusDocument) -> None:
    """Print the members as they were counted last."""
    if document.census_at is None:
        return
    rows = document.members_by_plan
    total = plural(sum(each.members for each in rows), "member")
    say(f"{total}, counted at {timestamp(document.census_at)}:")
    made = table("plan", "status", "members", numbers=("members",))
    for each in rows:
        made.add_row(each.plan, each.status, f"{each.members:,}")
    print_table(made)
    if document.without_rule:
        waiting = plural(document.without_rule, "member")
        say(
            f"The next boundary of {waiting} has no rules: load the plan's revision.",
            style="red",
        )


def _check(json: bool) -> NoReturn:
    """Tell in one line whether all is well, and leave."""
    with database.address(note) as conninfo, connect(conninfo) as conn:
        schema.check_schema(conn)
        problems = database.find_obstacles(conn)
        with snapshot(conn):
            health = find_health(conn, read_clock(conn))
        problems += [problem.text for problem in health.problems]
    if json:
        print_json({"ok": not problems, "problems": problems})
    elif problems:
        told = f"NOT WELL: {'; '.join(problems)} (see: renewer status)"
        console().print(told, soft_wrap=True)
    else:
        say("OK: the last pass succeeded, nobody is late or failing")
    raise typer.Exit(1 if problems else 0)


def _print_runs(document: StatusDocument) -> None:
    """Print the last passes of 48 hours; those over announced members in one row."""
    announced = document.announced
    if not document.runs and not announced.passes:
        last_at = document.last_pass_at
        if last_at is None:
            say("No pass has run yet.")
        else:
            say(f"No pass in 48 hours; the last succeeded at {timestamp(last_at)}.")
        return
    numbers = ("pass", "due", "awarded", "failed", "per s")
    columns = ("pass", "started (UTC)", "trigger", "state", *numbers[1:])
    made = table(*columns, numbers=numbers)
    for run in document.runs[:RUNS]:
        made.add_row(
            str(run.run_id),
            f"{run.started_at.astimezone(UTC):%Y-%m-%d %H:%M}",
            run.trigger,
            run.state,
            str(run.due),
            str(run.renewed + run.late),
            str(run.failed),
            f"{run.per_second:.0f}",
        )
    if announced.passes:
        awarded = str(announced.renewed + announced.late)
        counts = (str(announced.due), awarded, str(announced.failed), "")
        made.add_row("", f"{announced.passes} together", "announced", "", *counts)
    print_table(made)
