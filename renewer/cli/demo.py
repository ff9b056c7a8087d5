"""The demonstration: real members, a real database, and the hours that matter."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from psycopg.rows import DictRow
from rich.text import Text

from renewer.answers.verification import find_violations
from renewer.answers.wording import signed
from renewer.cli.cast import CAST, Part, utc
from renewer.cli.output import note, print_table, say, table
from renewer.cli.simulation import HOUR, PRESET, Simulation, bring_in, run_pass
from renewer.cli.web import PORT, load_pages
from renewer.host import embedded
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings
from renewer.jobs import plan_files
from renewer.rules.ledger import Member
from renewer.store import migrations
from renewer.store.connection import Database, connect
from renewer.store.history import find_statement
from renewer.store.members import find_members


def demo(
    web: Annotated[
        bool, typer.Option("--web", help="Show it as pages, with a clock you move.")
    ] = False,
    port: Annotated[
        int,
        typer.Option("--port", metavar="P", min=1, max=65535, help="The pages' port."),
    ] = PORT,
) -> None:
    """
    Watch the job at work: ten members, the passes that matter, and why.

    With `--web` the same members have their pages, in a browser, and buttons move a
    test clock on; it needs the extra `web`. Needs the extra `embedded`; leaves nothing
    behind.
    """
    if web:
        show_pages(port)
        return
    say("Starting a PostgreSQL of its own; it is gone when the demo ends.\n")
    with embedded.temporary() as conninfo:
        migrations.migrate(conninfo)
        with connect(conninfo) as conn:
            plan_files.record_plans(conn, plan_files.read_plans(PRESET))
            scenes = [part for part in CAST if part.passes]
            for number, scene in enumerate(scenes, 1):
                _play(number, scene, conninfo, conn)
            broken = len(list(find_violations(conn)))
    say(
        f"Every invariant of the ledger was checked on all members: {broken} "
        "violations."
    )
    say(
        f"Next, on members of your own (README.md goes on from there):\n"
        f"{_called()} migrate"
    )


def show_pages(port: int) -> None:
    """Serve the pages of the demo to this machine until SIGTERM or SIGINT."""
    serving = load_pages("serving")
    # Whatever the environment opens elsewhere, the demo is for this machine alone.
    settings = read_settings().model_copy(
        update={
            "web_token": None,
            "link_keys": None,
            "web_url": f"http://127.0.0.1:{port}",
        }
    )
    configure_logs()
    note("Starting a PostgreSQL of its own; it is gone when the demo ends.")
    with embedded.temporary() as conninfo:
        simulation = Simulation(conninfo)
        simulation.prepare()
        say(f"Open http://127.0.0.1:{port}/demo – Ctrl-C ends the demo.")
        place = serving.Place("127.0.0.1", port)
        serving.serve(conninfo, settings, place, simulation)


def _called() -> str:
    """Return how this command was called, to be pasted."""
    path = sys.argv[0]
    return path if path.endswith("renewer") else "renewer"


def _play(number: int, scene: Part, conninfo: str, conn: Database) -> None:
    """Bring one member in, step the job and print what it posted for them."""
    bring_in(conn, scene)
    if scene.caught_up_at is not None:
        run_pass(conninfo, utc(scene.caught_up_at))
    made = table(
        "pass at (UTC)",
        "what it posted",
        "amount",
        "balance",
        numbers=("amount", "balance"),
    )
    for as_of in map(utc, scene.passes):
        before = _member(conn, scene)
        run_pass(conninfo, as_of)
        posted = find_statement(conn, scene.member_id, before.last_seq)
        when = f"{as_of:%Y-%m-%d %H:%M}"
        if not posted:
            nothing = Text("nothing", style="dim")
            made.add_row(when, nothing, "", str(before.balance))
        for line in posted:
            what, balance = _describe(line, as_of), str(line["balance_after"])
            made.add_row(when, what, signed(line["amount"]), balance)
            when = ""
    say(f"{number}. {scene.title}", style="bold")
    print_table(made)
    say(f"{scene.why}\n", style="italic")


def _describe(line: DictRow, as_of: datetime) -> str:
    """Return what a line says; a late award with the day it is dated at."""
    occurred_at = line["occurred_at"].astimezone(UTC)
    if as_of - occurred_at >= HOUR and line["amount"] > 0:
        return f"{line['what']} of {occurred_at:%d %B}"
    return str(line["what"])


def _member(conn: Database, scene: Part) -> Member:
    (found,) = find_members(conn, [scene.member_id])
    return found
