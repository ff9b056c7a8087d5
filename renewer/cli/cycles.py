"""The command `cycles`: the calendar of an anchor; needs no database."""

from typing import Annotated

import typer

from renewer.cli.options import AsOf, Json, read_instant
from renewer.cli.output import print_json, print_table, table, timestamp
from renewer.errors import InputError
from renewer.rules.calendar import Calendar, Cycle, read_date, zone

MOST = 10_000


def cycles(
    anchor: Annotated[
        str,
        typer.Option("--anchor", metavar="D", help="The day the membership started."),
    ],
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="Z", help="The member's time zone.")
    ] = "UTC",
    count: Annotated[
        int,
        typer.Option("--count", metavar="N", min=1, max=MOST, help="How many cycles."),
    ] = 12,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """
    List the cycles of an anchor: first day, last day and the instant the cycle starts.

    From the anchor on or, with `--as-of`, from the cycle that contains that time. Needs
    no database.
    """
    anchor_on = read_date("--anchor", anchor)
    calendar, first = Calendar(anchor_on, timezone), 0
    if as_of is not None:
        first = calendar.number_at(read_instant("--as-of", as_of))
        if first < 0:
            raise InputError(
                f"--as-of {as_of} is before the anchor {anchor_on}: there is no "
                "cycle yet"
            )
    rows = [calendar.cycle(n) for n in range(first, first + count)]
    if json:
        print_json(
            [
                {
                    "n": row.n,
                    "first_day": row.first_day,
                    "last_day": row.last_day,
                    "starts_at": _local(row, timezone),
                }
                for row in rows
            ]
        )
        return
    made = table("cycle", "first day", "last day", "starts at", numbers=("cycle",))
    for row in rows:
        made.add_row(
            str(row.n),
            str(row.first_day),
            str(row.last_day),
            timestamp(row.starts_at, timezone),
        )
    print_table(made)


def _local(row: Cycle, timezone: str) -> str:
    return row.starts_at.astimezone(zone(timezone)).isoformat()
