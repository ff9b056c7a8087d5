"""The command `events`: the postings as events, as JSON lines."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any

import typer

from renewer.cli.output import note, print_line
from renewer.host import database
from renewer.host.settings import read_settings
from renewer.host.streams import has_reader
from renewer.jobs.sealing import end_batch
from renewer.store.connection import Database
from renewer.store.feed import may_tick, read_events, tick

POLL_S = 1.0
PAGE = 5000


def events(
    after: Annotated[
        str | None,
        typer.Option(
            "--after",
            metavar="C",
            help="The cursor of the last event you have. Default: from the start.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Leave after so many."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for what is posted next.")
    ] = False,
) -> None:
    """
    Print what was posted, one event a line with the cursor that goes on behind it.

    Each entry is in exactly one event, and a member's events come in their order. Keep
    the last cursor with what you made of its event: nothing is lost or told twice.
    """
    with database.connected(note) as (_, conn), suppress(KeyboardInterrupt):
        # A wire that is dead, or a pooler that stands still, is told, not waited for.
        conn.patience_s = read_settings().statement_timeout
        if not follow:
            end_batch(conn)
        page = PAGE if limit is None else min(limit, PAGE)
        found = _read_on(conn, after, page, follow=follow)
        for cursor, event in islice(found, limit):
            print_line({"cursor": cursor, "event": event})


def _read_on(
    conn: Database, after: str | None, at_a_time: int, *, follow: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Yield the events behind *after*, to the end or as long as somebody reads them.

    What was yielded is written out before more is read.
    """
    while has_reader():
        if follow and may_tick(conn):
            tick(conn)
        page = read_events(conn, after, at_a_time)
        yield from page
        sys.stdout.flush()
        if page:
            after = page[-1][0]
        elif follow:
            time.sleep(POLL_S)
        else:
            return
