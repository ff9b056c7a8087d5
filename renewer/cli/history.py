"""The command `history`: a member's ledger as a statement."""

import shlex
from datetime import timedelta
from typing import Annotated

import typer
from psycopg.rows import DictRow

from renewer.answers.documents import history_document
from renewer.answers.wording import signed, usable_timezone
from renewer.cli.options import AsOf, Json, MemberId, resolve_as_of
from renewer.cli.output import note, print_json, print_table, say, table, timestamp
from renewer.host import database
from renewer.rules.ledger import Member, Status
from renewer.store.connection import read_clock, snapshot
from renewer.store.history import EVER, LAST_SEQ, find_entries, find_statement

Days = Annotated[
    int | None,
    typer.Option(
        "--days",
        "--last",
        metavar="N",
        min=1,
        max=36500,
        help="Only the last N days, such as 7, 30 or 90.",
    ),
]


Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", min=1, help="Only the last N entries of those."
    ),
]
Before = Annotated[
    int | None,
    typer.Option(
        "--before", metavar="SEQ", min=1, help="Only entries before this number."
    ),
]


def history(
    member: MemberId,
    days: Days = None,
    as_of: AsOf = None,
    limit: Limit = None,
    before: Before = None,
    json: Json = False,
) -> None:
    """
    Show a member's ledger as a statement: every award, expiry and movement.

    The oldest comes first. With `--days` only what occurred in the last days, with
    `--as-of` only up to that time. `--limit` and `--before` show a page.
    """
    with database.connected(note) as (_, conn), snapshot(conn):
        now = resolve_as_of(as_of, read_clock(conn), allow_future=True)
        held = database.find_member(conn, member)
        since = EVER[0] if days is None else now - timedelta(days=days)
        until = EVER[1] if as_of is None else now
        end = before or LAST_SEQ
        entries = find_entries(conn, member, since, until, end, limit)
        begun = entries[0]["seq"] if entries else end
        lines = find_statement(conn, member, begun - 1, since, until, end)
    if json:
        print_json(history_document(held, lines, entries))
        return
    zone = usable_timezone(held.timezone)
    # Of a time that is past, the lines are shown, but the member as they are now.
    present = "now "
    if as_of is None:
        present = ""
    say(f"{member}: {present}{_state(held, zone)}")
    if lines:
        _print_lines(lines, zone)
    elif days is None and as_of is None and before is None:
        say("No entries yet.")
    else:
        say("Nothing happened in that time.")
    if limit is not None and begun > 1 and len(entries) == limit:
        say(
            f"Earlier ones: renewer history {shlex.quote(member)} --limit {limit} "
            f"--before {begun}"
        )


def _state(held: Member, zone: str) -> str:
    state = f"plan {held.plan}, {held.status}, balance {held.balance}"
    if held.status is not Status.CLOSED:
        state += f", next boundary {timestamp(held.renews_at, zone)}"
    return state


def _print_lines(lines: list[DictRow], zone: str) -> None:
    columns = ("when", "what", "amount", "balance")
    made = table(*columns, numbers=("amount", "balance"), times=("when",))
    for line in lines:
        what = line["what"]
        if line["reference"]:
            what += f" ({line['reference']})"
        at, balance = timestamp(line["occurred_at"], zone), str(line["balance_after"])
        made.add_row(at, what, signed(line["amount"]), balance)
    print_table(made)
