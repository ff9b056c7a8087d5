"""A member's ledger as a statement."""

from datetime import timedelta
from typing import Annotated, Any

import typer
from psycopg.rows import DictRow

from renewer import store
from renewer.cli.options import AsOf, Json, MemberId, resolve_as_of
from renewer.cli.output import console, instant, local, note, print_json, print_table, signed, table
from renewer.host import database
from renewer.rules.cycle import timezones
from renewer.rules.ledger import Status

Days = Annotated[
    int | None,
    typer.Option("--days", "--last", metavar="N", min=1, max=36500, help="Only the last N days, such as 7, 30 or 90."),
]


def history(member: MemberId, days: Days = None, as_of: AsOf = None, json: Json = False) -> None:
    """
    Show a member's ledger as a statement: every award, expiry and movement, oldest first.

    With `--days` only what occurred in the last days, with `--as-of` only up to that time.
    """
    with database.connected(note) as (_, conn), store.snapshot(conn):
        now = resolve_as_of(as_of, store.read_clock(conn), allow_future=True)
        held = database.find_member(conn, member)
        since = store.EVER[0] if days is None else now - timedelta(days=days)
        until = store.EVER[1] if as_of is None else now
        entries = store.find_entries(conn, member, since, until)
        lines = store.find_statement(conn, member, since=since, until=until)
    zone = held.timezone if held.timezone in timezones() else "UTC"
    if json:
        document = {"member_id": member, "timezone": held.timezone, "balance": held.balance}
        for name, rows in (("lines", lines), ("entries", entries)):
            document[name] = [_local(row, zone) for row in rows]
        print_json(document)
        return
    made = table("when", "what", "amount", "balance", numbers=("amount", "balance"))
    for line in lines:
        what = line["what"] + (f" ({line['reference']})" if line["reference"] else "")
        made.add_row(instant(line["occurred_at"], zone), what, signed(line["amount"]), str(line["balance_after"]))
    ahead = "" if held.status is Status.CLOSED else f", next boundary {instant(held.renews_at, zone)}"
    present = "now " if as_of else ""
    console().print(f"{member}: {present}plan {held.plan}, {held.status}, balance {held.balance}{ahead}")
    if lines:
        print_table(made)
    else:
        console().print("Nothing happened in that time.")


def _local(row: DictRow, zone: str) -> dict[str, Any]:
    """Return a row with its instants in the member's zone."""
    instants = {name: local(row[name], zone) for name in ("occurred_at", "posted_at", "expires_at") if row.get(name)}
    return row | instants
