"""Commands that tell others what was posted and what is coming, as JSON lines."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any

import typer

from renewer import store
from renewer.answers.expiring import find_notices
from renewer.answers.wording import many
from renewer.cli.options import Json
from renewer.cli.output import console, note, print_json, print_line, say
from renewer.host import database
from renewer.host.settings import read_settings
from renewer.host.streams import has_reader
from renewer.jobs.sealing import Sealed, end_batch, seal_ledger
from renewer.rules.cycle import read_duration

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
    conn: store.Database, after: str | None, at_a_time: int, *, follow: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Yield the events behind *after*, to the end or as long as somebody reads them.

    What was yielded is written out before more is read.
    """
    while has_reader():
        if follow and store.may_tick(conn):
            store.tick(conn)
        page = store.read_events(conn, after, at_a_time)
        yield from page
        sys.stdout.flush()
        if page:
            after = page[-1][0]
        elif follow:
            time.sleep(POLL_S)
        else:
            return


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
    told = "Nothing new to seal."
    if done.batches:
        batches = many(done.batches, "batch", "batches")
        told = f"Sealed {batches} with {many(done.entries, 'entry', 'entries')}."
    say(told)
    if done.head is not None:
        console().print(f"Head: {done.head.head}", soft_wrap=True)
