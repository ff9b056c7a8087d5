"""The command `migrate`: create or upgrade the schema."""

from typing import Annotated

import typer

from renewer.cli.options import Json
from renewer.cli.output import note, print_json, say
from renewer.host import database
from renewer.store import migrations


def migrate(
    roles: Annotated[
        bool,
        typer.Option(
            "--roles",
            help="Also create the roles renewer_worker, renewer_app and renewer_read.",
        ),
    ] = False,
    distributed: Annotated[
        bool,
        typer.Option(
            "--distributed",
            help="Also spread the members over the nodes of a Citus cluster.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Create or upgrade the schema. Safe to repeat and to run twice at once."""
    with database.address(note) as conninfo:
        applied = migrations.migrate(
            conninfo, roles=roles, distributed=distributed, tell=note
        )
    if json:
        print_json({"applied": applied, "roles": roles})
    else:
        say(
            f"Applied {', '.join(applied)}." if applied else "The schema is up to date."
        )
