"""The commands `plans load` and `plans list`."""

from dataclasses import asdict
from typing import Annotated

import typer

from renewer.answers.wording import plural
from renewer.cli.options import Json
from renewer.cli.output import note, print_json, print_table, say, table
from renewer.host import database
from renewer.jobs import plan_files
from renewer.rules.plans import RULES
from renewer.store.revisions import find_plans

plans = typer.Typer(name="plans", help="Load and list plans.", no_args_is_help=True)


@plans.command("load")
def load(
    source: Annotated[
        str,
        typer.Argument(metavar="FILE|PRESET", help="A TOML file, or a preset by name."),
    ],
    json: Json = False,
) -> None:
    """
    Put plan revisions on record. Loading the same again does nothing.

    A changed one is refused.
    """
    revisions = plan_files.read_plans(source)
    with database.connected(note) as (_, conn):
        added = plan_files.record_plans(conn, revisions)
    if json:
        print_json({"loaded": len(added), "unchanged": len(revisions) - len(added)})
    else:
        say(
            f"{plural(len(added), 'plan revision')} loaded, "
            f"{len(revisions) - len(added)} on record already."
        )


@plans.command("list")
def list_(json: Json = False) -> None:
    """List every plan's revisions."""
    with database.connected(note) as (_, conn):
        revisions = find_plans(conn)
    if json:
        print_json([asdict(revision) for revision in revisions])
        return
    if not revisions:
        say(f"No plans yet. Load some: renewer plans load {plan_files.presets()[-1]}")
        return
    labels = [rule.label for rule in RULES.values()]
    numbers = tuple(rule.label for rule in RULES.values() if not rule.unit)
    made = table("plan", "from", *labels, numbers=numbers)
    for revision in revisions:
        shown = [RULES[name].show(number) for name, number in revision.rules.items()]
        made.add_row(revision.code, str(revision.effective_from), *shown)
    print_table(made)
