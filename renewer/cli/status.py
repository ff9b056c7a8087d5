"""How the job is doing: what is due, the last passes, who failed; and what a person does about the latter."""

from datetime import datetime
from typing import Any

import typer
from psycopg.rows import DictRow

from renewer import store
from renewer.answers.wording import age
from renewer.cli.options import AsOf, Json, MemberId, resolve_as_of
from renewer.cli.output import console, instant, note, print_json, print_table, table
from renewer.host import database
from renewer.jobs.failures import park as park_member
from renewer.jobs.failures import retry as retry_member
from renewer.store import Lag, RecordedFailure

RUNS = 10
SHOWN = 50
MOST = 10_000

failures = typer.Typer(name="failures", help="Try a member who failed again, or set them aside.", no_args_is_help=True)


def status(as_of: AsOf = None, json: Json = False) -> None:
    """
    Show how the job is doing: how far behind it is, the last passes, and the members who failed.

    The lag is the age of the oldest boundary that is due and not posted.
    """
    with database.connected(note) as (_, conn), store.snapshot(conn):
        at = resolve_as_of(as_of, store.read_clock(conn), allow_future=True)
        lag, runs = store.find_lag(conn, at), store.find_runs(conn, RUNS)
        failed, found = store.count_failures(conn), store.find_failures(conn, MOST if json else SHOWN)
    if json:
        print_json(_document(at, lag, runs, failed, found))
        return
    out = console()
    since = lag.oldest_boundary_at
    behind = f"the oldest boundary waits since {instant(since)} ({age(at - since)})" if since else "no boundary waits"
    out.print(f"As of {instant(at)}: {lag.due} members due, {behind}.")
    _print_runs(runs)
    _print_failures(failed, found)


def _rate(run: DictRow) -> float:
    """Return the members a pass did in a second."""
    return round(run["due"] / run["seconds"], 1) if run["seconds"] else 0.0


def _print_runs(runs: list[DictRow]) -> None:
    if not runs:
        console().print("No pass has run yet.")
        return
    numbers = ("pass", "due", "awarded", "failed", "per s")
    made = table("pass", "started (UTC)", "trigger", "state", "due", "awarded", "failed", "per s", numbers=numbers)
    for run in runs:
        counts = [str(number) for number in (run["due"], run["renewed"] + run["late"], run["failed"])]
        started = instant(run["started_at"]).removesuffix(" UTC")
        made.add_row(str(run["run_id"]), started, run["trigger"], run["state"], *counts, f"{_rate(run):.0f}")
    print_table(made)


def _print_failures(failed: int, found: list[RecordedFailure]) -> None:
    out = console()
    if not failed:
        out.print("No member failed.")
        return
    made = table("member", "tries", "next try", "what is wrong", numbers=("tries",))
    for failure in found:
        next_try = "parked"
        if not failure.parked and failure.retry_at:
            next_try = instant(failure.retry_at)
        made.add_row(failure.member_id, str(failure.attempts), next_try, failure.message)
    print_table(made)
    if failed > len(found):
        out.print(f"… and {failed - len(found)} more: renewer status --json lists up to {MOST}.")


def _document(at: datetime, lag: Lag, runs: list[DictRow], failed: int, found: list[RecordedFailure]) -> dict[str, Any]:
    since = lag.oldest_boundary_at
    return {
        "as_of": at,
        "due": lag.due,
        "lag_seconds": round((at - since).total_seconds()) if since else 0,
        "oldest_boundary_at": since,
        "failed": failed,
        "runs": [run | {"per_second": _rate(run)} for run in runs],
        "failures": [
            {
                "member_id": each.member_id,
                "code": each.code,
                "error": each.message,
                "plan": each.plan,
                "timezone": each.timezone,
                "attempts": each.attempts,
                "first_failed_at": each.first_failed_at,
                "last_failed_at": each.last_failed_at,
                "next_try_at": None if each.parked else each.retry_at,
                "parked": each.parked,
            }
            for each in found
        ],
    }


@failures.command("retry")
def retry(member: MemberId, json: Json = False) -> None:
    """Let the next pass try a member again, parked or not; a running worker does it at once."""
    with database.connected(note) as (_, conn):
        retry_member(conn, member)
    _tell(member, "retry", f"{member} is tried again by the next pass; a running worker does it now.", json)


@failures.command("park")
def park(member: MemberId, json: Json = False) -> None:
    """Set a member aside: no pass takes them up until `renewer failures retry`."""
    with database.connected(note) as (_, conn):
        park_member(conn, member)
    _tell(member, "park", f"{member} is parked: no pass takes them up until renewer failures retry {member}.", json)


def _tell(member: str, done: str, sentence: str, json: bool) -> None:
    if json:
        print_json({"member_id": member, "done": done})
    else:
        console().print(sentence)
