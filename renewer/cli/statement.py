"""A member's ledger as a statement."""

from typing import Annotated

import typer

from renewer import store
from renewer.cli import database
from renewer.cli.options import Json
from renewer.cli.output import complain, console, instant, print_json, print_table, signed, table

MemberId = Annotated[str, typer.Argument(metavar="MEMBER", help="The member's id.")]


def history(member: MemberId, json: Json = False) -> None:
    """Show a member's ledger as a statement: every award, expiry and movement, oldest first."""
    with database.connected() as (_, conn):
        found = store.find_members(conn, [member])
        entries = list(store.find_entries(conn, member))
        lines = store.find_statement(conn, member)
    if not found:
        complain(f"unknown member {member!r}: check the name")
        raise typer.Exit(1)
    (held,) = found
    if json:
        print_json({"member_id": member, "timezone": held.timezone, "balance": held.balance, "entries": entries})
        return
    made = table("when", "what", "amount", "balance", numbers=("amount", "balance"))
    for line in lines:
        when = instant(line["occurred_at"], held.timezone)
        made.add_row(when, line["what"], signed(line["amount"]), str(line["balance_after"]))
    console().print(
        f"{member}: plan {held.plan}, {held.status}, balance {held.balance}, "
        f"next boundary {instant(held.renews_at, held.timezone)}"
    )
    print_table(made)
