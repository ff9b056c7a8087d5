"""How the job is doing, and what a person does about the members who failed."""

import shlex
from datetime import datetime
from typing import Annotated, NoReturn

import typer
from psycopg.rows import DictRow

from renewer import store
from renewer.answers.documents import (
    failures_document,
    members_per_second,
    status_document,
)
from renewer.answers.health import LATE, find_problems
from renewer.answers.wording import age, local, plural, usable_timezone
from renewer.cli.options import AsOf, Json, MemberId, resolve_as_of
from renewer.cli.output import (
    console,
    note,
    print_json,
    print_table,
    say,
    table,
    timestamp,
)
from renewer.errors import InputError
from renewer.host import database
from renewer.jobs.failures import park as park_member
from renewer.jobs.failures import retry as retry_member
from renewer.rules.ledger import Status
from renewer.store import Lag, RecordedFailure, schema

RUNS = 10
SHOWN = 50
MOST = 10_000

failures = typer.Typer(name="failures", invoke_without_command=True)


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
    _print_failures(failed, found)


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


def _print_failures(failed: int, found: list[RecordedFailure]) -> None:
    if not failed:
        say("No member failed.")
        return
    made = table(
        "member",
        "tries",
        "next try",
        "what is wrong",
        numbers=("tries",),
        times=("next try",),
    )
    made.columns[-1].style = "red"
    for failure in found:
        next_try = "parked" if failure.parked else timestamp(failure.retry_at)
        made.add_row(
            failure.member_id, str(failure.attempts), next_try, failure.message
        )
    print_table(made)
    if failed > len(found):
        say(
            f"… and {failed - len(found)} more: "
            f"renewer failures --json lists up to {MOST:,}."
        )


def members(
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="P", help="Only of this plan.")
    ] = None,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only of this status.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, help="How many at the most.")
    ] = SHOWN,
    after: Annotated[
        str, typer.Option("--after", metavar="MEMBER", help="Go on behind this one.")
    ] = "",
    json: Json = False,
) -> None:
    """List members in the order of their ids."""
    with database.connected(note) as (_, conn):
        found = store.list_members(conn, plan, status, after, limit + 1)
    shown, more = found[:limit], len(found) > limit
    if json:
        print_json({"members": shown, "more": more})
        return
    if not shown:
        say("No such members.")
        return
    made = table(
        "member",
        "plan",
        "status",
        "balance",
        "renews",
        numbers=("balance",),
        times=("renews",),
    )
    for row in shown:
        renews = timestamp(row["renews_at"], usable_timezone(row["timezone"]))
        if row["status"] == Status.CLOSED:
            renews = "never"
        balance = str(row["balance"])
        made.add_row(row["member_id"], row["plan"], row["status"], balance, renews)
    print_table(made)
    if more:
        last = shlex.quote(shown[-1]["member_id"])
        say(f"There are more: renewer members --after {last}")


@failures.callback()
def list_failures(ctx: typer.Context, json: Json = False) -> None:
    """List the members who failed or are parked, try one again, or set one aside."""
    if ctx.invoked_subcommand is not None:
        if json:
            raise InputError(f"give --json behind {ctx.invoked_subcommand}")
        return
    with database.connected(note) as (_, conn), store.snapshot(conn):
        failed = store.count_failures(conn)
        found = store.find_failures(conn, MOST if json else SHOWN)
    if json:
        print_json(failures_document(failed, found))
    else:
        _print_failures(failed, found)


@failures.command("retry")
def retry(member: MemberId, json: Json = False) -> None:
    """
    Let the next pass try a member again, parked or not.

    A running worker does it at once.
    """
    with database.connected(note) as (_, conn):
        retry_member(conn, member)
    _tell(
        member,
        "retry",
        f"{member} is tried again by the next pass; a running worker does it now.",
        json,
    )


@failures.command("park")
def park(member: MemberId, json: Json = False) -> None:
    """Set a member aside: no pass takes them up until `renewer failures retry`."""
    with database.connected(note) as (_, conn):
        park_member(conn, member)
    _tell(
        member,
        "park",
        f"{member} is parked: no pass takes them up until "
        f"renewer failures retry {member}.",
        json,
    )


def _tell(member: str, done: str, sentence: str, json: bool) -> None:
    if json:
        print_json({"member_id": member, "done": done})
    else:
        say(sentence)
