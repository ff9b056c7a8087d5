"""The command `expiring`: Connects that end soon, as JSON lines."""

import sys
from typing import Annotated

import typer

from renewer.answers.expiring import find_notices
from renewer.cli.output import note, print_line
from renewer.host import database
from renewer.rules.calendar import read_duration
from renewer.store.connection import read_clock


def expiring(
    within: Annotated[
        str,
        typer.Option("--within", metavar="W", help="How far ahead: 36h, 7d."),
    ],
) -> None:
    """
    Print which Connects end soon unless they are spent, one lot of a member a line.

    What the next boundary cuts is as the planner sees it today. The id stays the same
    until the lot's end moves, so each notice can be sent once.
    """
    span = read_duration("--within", within)
    with database.connected(note) as (_, conn):
        as_of = read_clock(conn)
        for notices in find_notices(conn, as_of, as_of + span):
            for each in notices.items:
                print_line(each)
            sys.stdout.flush()
