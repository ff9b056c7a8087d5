"""The command `export`: entries, members or lots in bulk."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from renewer.cli.options import read_instant
from renewer.cli.output import note
from renewer.host import database
from renewer.store.auditing import copy_rows
from renewer.store.connection import snapshot


class Table(StrEnum):
    """What can be exported."""

    ENTRIES = "entries"
    MEMBERS = "members"
    LOTS = "lots"


class Form(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    CSV = "csv"


def export(
    what: Annotated[Table, typer.Argument(metavar="WHAT", help="What to write.")],
    form: Annotated[
        Form, typer.Option("--format", help="JSON lines, or CSV with a header.")
    ] = Form.JSONL,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="T", help="Only what was posted or moved from T on."
        ),
    ] = None,
) -> None:
    """
    Write entries, members or lots to stdout, for spreadsheets and warehouses.

    All of one moment, in the order of the members' ids; nothing is held in memory.
    """
    since_at = None if since is None else read_instant("--since", since)
    with database.connected(note) as (_, conn), snapshot(conn):
        for block in copy_rows(conn, what, form, since_at):
            sys.stdout.buffer.write(block)
    sys.stdout.flush()
