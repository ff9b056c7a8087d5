"""The commands `failures`, `failures retry` and `failures park`."""

import typer

from renewer.answers.overview import failures_document
from renewer.cli.options import Json, MemberId
from renewer.cli.output import note, print_json, print_table, say, table, timestamp
from renewer.errors import InputError
from renewer.host import database
from renewer.jobs.failures import park as park_member
from renewer.jobs.failures import retry as retry_member
from renewer.store.connection import snapshot
from renewer.store.runs import RecordedFailure, count_failures, find_failures

SHOWN = 50
MOST = 10_000

failures = typer.Typer(name="failures", invoke_without_command=True)


@failures.callback()
def list_failures(ctx: typer.Context, json: Json = False) -> None:
    """List the members who failed or are parked, try one again, or set one aside."""
    if ctx.invoked_subcommand is not None:
        if json:
            raise InputError(f"give --json behind {ctx.invoked_subcommand}")
        return
    with database.connected(note) as (_, conn), snapshot(conn):
        failed = count_failures(conn)
        found = find_failures(conn, MOST if json else SHOWN)
    if json:
        print_json(failures_document(failed, found))
    else:
        print_failures(failed, found)


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


def print_failures(failed: int, found: list[RecordedFailure]) -> None:
    """Print the failures found, and how many more of all that *failed* there are."""
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
        next_try = "parked"
        if not failure.parked:
            next_try = timestamp(failure.retry_at)
        made.add_row(
            failure.member_id, str(failure.attempts), next_try, failure.message
        )
    print_table(made)
    if failed > len(found):
        say(
            f"… and {failed - len(found)} more: "
            f"renewer failures --json lists up to {MOST:,}."
        )
