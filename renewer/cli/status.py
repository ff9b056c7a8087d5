"""The command `status`: how far behind the job is."""

from datetime import datetime
from typing import Annotated, NoReturn

import typer
from psycopg.rows import DictRow

from renewer import store
from renewer.answers.condition import LATE, find_problems
from renewer.answers.documents import (
    members_per_second,
    status_document,
)
from renewer.answers.wording import age, local, plural
from renewer.cli.failures import MOST, SHOWN, print_failures
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
from renewer.store import Lag, schema

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
    Show how far behind the job is, the last passes, and the members who failed.

    The lag is the age of the oldest boundary that is due and not posted. With --check
    it is for cron, monitors and probes: the last pass succeeded, nobody is late or
    failing, the clocks agree, and no commit may be lost.
    """
    if check:
        _check(json)
    with database.connected(note) as (_, conn), store.snapshot(conn):
        at = resolve_as_of(as_of, store.read_clock(conn), allow_future=True)
        lag, runs = store.find_lag(conn, at), store.find_runs(conn, RUNS)
        failed, found = (
            store.count_failures(conn),
            store.find_failures(conn, MOST if json else SHOWN),
        )
        census, next_due_at = store.find_census(conn), store.find_next_due(conn, at)
    if json:
        print_json(status_document(at, lag, runs, failed, found, census, next_due_at))
        return
    _print_lag(lag, at)
    if next_due_at is not None:
        say(f"The next one becomes due at {timestamp(next_due_at)}.")
    _print_census(census)
    _print_runs(runs)
    print_failures(failed, found)


def _print_lag(lag: Lag, at: datetime) -> None:
    """Say how many are due and since when the oldest boundary waits, and whose."""
    due = plural(lag.due, "member")
    since, style = lag.oldest_boundary_at, None
    behind = ", no boundary waits"
    if since is not None:
        waits = f"waits since {timestamp(since)} ({age(at - since)})"
        behind = f", the oldest boundary {waits}"
        if not lag.due:
            # No pass takes anybody up now: whoever waits failed, or is parked.
            behind = f"; of those who failed, the oldest boundary {waits}"
        style = "red" if at - since > LATE else None
    say(f"As of {timestamp(at)}: {due} due{behind}.", style=style)


def _print_census(census: DictRow | None) -> None:
    """Show who there is, as they were counted last."""
    if census is None:
        return
    total = sum(each["members"] for each in census["members"])
    counted_at = timestamp(census["taken_at"])
    say(f"{plural(total, 'member')}, counted at {counted_at}:")
    made = table("plan", "status", "members", numbers=("members",))
    for each in census["members"]:
        made.add_row(each["plan"], each["status"], f"{each['members']:,}")
    print_table(made)
    if census["without_rule"]:
        waiting = plural(census["without_rule"], "member")
        say(
            f"The next boundary of {waiting} has no rules: load the plan's revision.",
            style="red",
        )


def _check(json: bool) -> NoReturn:
    """Tell in one line whether all is well, and leave."""
    with database.address(note) as conninfo, store.connect(conninfo) as conn:
        schema.check_schema(conn)
        problems = database.find_obstacles(conn)
        problems += find_problems(conn, store.read_clock(conn))
    if json:
        print_json({"ok": not problems, "problems": problems})
    elif problems:
        told = f"NOT WELL: {'; '.join(problems)} (see: renewer status)"
        console().print(told, soft_wrap=True)
    else:
        say("OK: the last pass succeeded, nobody is late or failing")
    raise typer.Exit(1 if problems else 0)


def _print_runs(runs: list[DictRow]) -> None:
    if not runs:
        say("No pass has run yet.")
        return
    numbers = ("pass", "due", "awarded", "failed", "per s")
    columns = ("pass", "started (UTC)", "trigger", "state", *numbers[1:])
    made = table(*columns, numbers=numbers)
    for run in runs:
        awarded = run["renewed"] + run["late"]
        made.add_row(
            str(run["run_id"]),
            f"{local(run['started_at'], 'UTC'):%Y-%m-%d %H:%M}",
            run["trigger"],
            run["state"],
            str(run["due"]),
            str(awarded),
            str(run["failed"]),
            f"{members_per_second(run):.0f}",
        )
    print_table(made)
