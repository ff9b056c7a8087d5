"""The demonstration: real members, a real database, and the hours that matter."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from renewer import store
from renewer.answers.verification import find_violations
from renewer.answers.wording import signed
from renewer.cli.output import note, print_table, say, table
from renewer.cli.pages import PORT, load_pages
from renewer.cli.simulation import HOUR, PRESET, Simulation, bring_in, utc
from renewer.host import embedded
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings
from renewer.jobs import plan_files
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.jobs.renewal import renew_due
from renewer.rules.ledger import Member
from renewer.store import migrations


@dataclass(frozen=True, slots=True)
class Scene:
    """One member, and the hours at which the job's passes are worth watching."""

    title: str
    line: str
    imported_at: str
    passes: Sequence[str]
    why: str
    bought: int = 0

    @property
    def member_id(self) -> str:
        """Return the member's id."""
        return self.line.split(",")[0]


SCENES = (
    Scene(
        "“More than a month and no refill, what is wrong?”: Basic, 2 left",
        "ana,basic,2016-04-19,UTC,active,2",
        "2016-05-14",
        ("2016-05-14T12:00", "2016-05-18T23:00", "2016-05-19T00:00"),
        "Nothing is wrong. The cycle is 19 April to 18 May; the award comes the day "
        "after.",
    ),
    Scene(
        "Plus, 30 left: unused Connects roll over",
        "ben,plus,2016-05-10,UTC,active,30",
        "2016-06-01",
        ("2016-06-09T23:00", "2016-06-10T00:00"),
        "Plus keeps up to 140 unused Connects; all 30 are below that.",
    ),
    Scene(
        "Plus, 200 left: more than the plan carries",
        "cleo,plus,2016-05-15,UTC,active,200",
        "2016-06-01",
        ("2016-06-14T23:00", "2016-06-15T00:00"),
        "The cap of 140 counts before the new 70 are added, so 60 expire.",
    ),
    Scene(
        "Started on January 31",
        "dan,basic,2017-01-31,UTC,active,0",
        "2017-02-01",
        (
            "2017-02-27T23:00",
            "2017-02-28T00:00",
            "2017-03-30T23:00",
            "2017-03-31T00:00",
        ),
        "A short month ends on its last day; the anchor's day comes back in the next.",
    ),
    Scene(
        "A midnight that does not exist: São Paulo, 4 November 2018",
        "eva,basic,2018-10-04,America/Sao_Paulo,active,10",
        "2018-10-20",
        ("2018-11-04T02:00", "2018-11-04T03:00"),
        "That night clocks went from 23:59 to 01:00: the cycle starts with the "
        "first hour.",
    ),
    Scene(
        "“My billing cycle is 4th December but I could not see my Connects”",
        "finn,basic,2018-11-05,UTC,active,12",
        "2018-12-01",
        ("2018-12-04T12:00", "2018-12-04T23:00", "2018-12-05T00:00"),
        "December 4 is the last day of the old cycle. The award comes on December 5.",
    ),
    Scene(
        "Under review",
        "gita,basic,2018-12-20,UTC,under_review,5",
        "2019-01-10",
        ("2019-01-20T00:00", "2019-01-20T01:00"),
        "Boundaries wait until the review ends; then all that waited is posted.",
    ),
    Scene(
        "20 bought Connects beside 5 of the allowance",
        "hugo,basic,2019-01-08,UTC,active,5",
        "2019-01-10",
        ("2019-02-07T23:00", "2019-02-08T00:00"),
        "A cycle never touches what was bought.",
        bought=20,
    ),
    Scene(
        "Started on February 29",
        "iris,basic,2020-02-29,UTC,active,0",
        "2021-02-01",
        (
            "2021-02-27T23:00",
            "2021-02-28T00:00",
            "2021-03-28T23:00",
            "2021-03-29T00:00",
        ),
        "In common years February ends the cycle a day early, and only in February.",
    ),
    Scene(
        "The scheduler was down for three months",
        "juno,plus,2021-04-12,UTC,active,0",
        "2021-04-20",
        ("2021-07-20T09:00", "2021-07-20T10:00"),
        "Each missed boundary is posted once, in order, dated at its own day.",
    ),
)


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

    With `--web` the same kinds of members have their pages, in a browser, and buttons
    move a test clock on; it needs the extra `web`. Needs the extra `embedded`; leaves
    nothing behind.
    """
    if web:
        show_pages(port)
        return
    say("Starting a PostgreSQL of its own; it is gone when the demo ends.\n")
    with embedded.temporary() as conninfo:
        migrations.migrate(conninfo)
        with store.connect(conninfo) as conn:
            plan_files.record_plans(conn, plan_files.read_plans(PRESET))
            for number, scene in enumerate(SCENES, 1):
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


def _play(number: int, scene: Scene, conninfo: str, conn: store.Database) -> None:
    """Bring one member in, step the job and print what it posted for them."""
    _bring_in(conn, scene)
    made = table(
        "pass at (UTC)",
        "what it posted",
        "amount",
        "balance",
        numbers=("amount", "balance"),
    )
    for text in scene.passes:
        as_of = datetime.fromisoformat(text).replace(tzinfo=UTC)
        seen = _member(conn, scene).last_seq
        renew_due(
            partial(store.connect, conninfo),
            PassRequest(as_of, PassOptions(threads=1)),
        )
        posted = store.find_statement(conn, scene.member_id, seen)
        when = f"{as_of:%Y-%m-%d %H:%M}"
        if not posted:
            made.add_row(
                when,
                Text("nothing", style="dim"),
                "",
                str(_member(conn, scene).balance),
            )
        for line in posted:
            late = as_of - line["occurred_at"] >= HOUR
            dated = (
                f" of {line['occurred_at'].astimezone(UTC):%d %B}"
                if late and line["amount"] > 0
                else ""
            )
            made.add_row(
                when,
                line["what"] + dated,
                signed(line["amount"]),
                str(line["balance_after"]),
            )
            when = ""
    say(f"{number}. {scene.title}", style="bold")
    print_table(made)
    say(f"{scene.why}\n", style="italic")


def _bring_in(conn: store.Database, scene: Scene) -> None:
    """Import the scene's member and, if they bought Connects, post the purchase."""
    at = utc(scene.imported_at)
    bring_in(conn, scene.line, at)
    if scene.bought:
        store.purchase(conn, scene.member_id, scene.bought, "demo", at)


def _member(conn: store.Database, scene: Scene) -> Member:
    (found,) = store.find_members(conn, [scene.member_id])
    return found
