"""The command `members`: list members by plan and status."""

import shlex
from typing import Annotated

import typer

from renewer.answers.wording import usable_timezone
from renewer.cli.options import Json
from renewer.cli.output import note, print_json, print_table, say, table, timestamp
from renewer.host import database
from renewer.rules.ledger import Status
from renewer.store.members import list_members

SHOWN = 50


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
        found = list_members(conn, plan, status, after, limit + 1)
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
