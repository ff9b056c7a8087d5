"""Commands that tell others what was posted and what is coming, as JSON lines."""

import sys
import time
from contextlib import suppress
from datetime import timedelta
from typing import Annotated

import typer

from renewer import store
from renewer.answers.upcoming import find_notices
from renewer.cli.options import Json
from renewer.cli.output import console, note, print_json, print_line
from renewer.host import database
from renewer.host.settings import read_settings
from renewer.host.streams import has_reader
from renewer.jobs.sealing import Sealed, end_batch, seal_ledger
from renewer.rules.cycle import read_duration

POLL_S = 1.0
PAGE = 5000
LONGEST = timedelta(days=366)


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
        left = limit
        while has_reader() and left != 0:
            if follow and store.may_tick(conn):
                store.tick(conn)
            page = store.read_events(conn, after, min(left or PAGE, PAGE))
            for after, event in page:
                print_line({"cursor": after, "event": event})
            sys.stdout.flush()
            if left is not None:
                left -= len(page)
            if not page and not follow:
                return
            if not page:
                time.sleep(POLL_S)


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
    span = read_duration("--within", within, LONGEST)
    with database.connected(note) as (_, conn):
        as_of = store.read_clock(conn)
        for notices in find_notices(conn, as_of, as_of + span):
            for each in notices.items:
                print_line(each)
            sys.stdout.flush()


def seal(json: Json = False) -> None:
    """
    Seal what was posted, so that a change of it is noticed, and print the head.

    Keep the head elsewhere: `renewer verify --seals --head` compares with it.
    """
    with database.connected(note) as (_, conn):
        end_batch(conn)
        done = seal_ledger(conn)
    if json:
        head = None
        if done.head is not None:
            head = {"number": done.head.mark.number, "hash": done.head.hash.hex()}
        print_json({"batches": done.batches, "entries": done.entries, "head": head})
    else:
        _print_sealed(done)


def _print_sealed(done: Sealed) -> None:
    out = console()
    batches = "batch" if done.batches == 1 else "batches"
    entries = "entry" if done.entries == 1 else "entries"
    out.print(
        f"Sealed {done.batches:,} {batches} with {done.entries:,} {entries}."
        if done.batches
        else "Nothing new to seal."
    )
    if done.head is not None:
        out.print(f"Head: {done.head.head}", soft_wrap=True)
