"""Commands that prepare a database: schema, plans, members."""

from typing import Annotated

import typer

from renewer import store
from renewer.cli.options import AllowFuture, AsOf, Json, resolve_as_of
from renewer.cli.output import console, note, print_json, print_table, progress, table
from renewer.host import database
from renewer.jobs import importing, plan_files
from renewer.rules.plans import Plans
from renewer.store import migrations

plans = typer.Typer(name="plans", help="Load and list plans.", no_args_is_help=True)


def migrate(
    roles: Annotated[
        bool,
        typer.Option(
            "--roles",
            help="Also create the roles renewer_worker, renewer_app and renewer_read.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Create or upgrade the schema. Safe to repeat and to run twice at once."""
    with database.address(note) as conninfo:
        applied = migrations.migrate(conninfo, roles=roles)
    if json:
        print_json({"applied": applied, "roles": roles})
    else:
        console().print(
            f"Applied {', '.join(applied)}." if applied else "The schema is up to date."
        )


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
        console().print(
            f"{len(added)} plan revisions loaded, {len(revisions) - len(added)} on "
            "record already."
        )


@plans.command("list")
def list_(json: Json = False) -> None:
    """List every plan's revisions."""
    with database.connected(note) as (_, conn):
        revisions = store.find_plans(conn)
    if json:
        print_json(
            [
                {
                    name: getattr(revision, name)
                    for name in revision.__dataclass_fields__
                }
                for revision in revisions
            ]
        )
        return
    if not revisions:
        console().print(
            f"No plans yet. Load some: renewer plans load {plan_files.presets()[-1]}"
        )
        return
    made = table(
        "plan",
        "from",
        "allowance",
        "rollover cap",
        "lifetime",
        numbers=("allowance", "rollover cap"),
    )
    for revision in revisions:
        cap = (
            "unlimited" if revision.rollover_cap is None else str(revision.rollover_cap)
        )
        lifetime = (
            f"{revision.lifetime_months} months" if revision.lifetime_months else "—"
        )
        made.add_row(
            revision.code,
            str(revision.effective_from),
            str(revision.allowance),
            cap,
            lifetime,
        )
    print_table(made)


def import_(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE.csv", help="The file, or - for stdin."),
    ],
    as_of: AsOf = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Import the good lines of a file with bad ones."
        ),
    ] = False,
    allow_future: AllowFuture = False,
    json: Json = False,
) -> None:
    """
    Import members from a CSV file with a header.

    Columns: `member_id,plan,anchor_on,timezone,status,balance`, the last three
    optional. Every bad line is named and nothing is imported, unless `--skip-bad`. A
    balance belongs to the cycle that contains `--as-of`.
    """
    bad_lines: list[dict[str, object]] = []

    def on_bad(line: int, reason: str) -> None:
        if json:
            bad_lines.append({"line": line, "reason": reason})
        else:
            note(f"line {line}: {reason}")

    with database.connected(note) as (_, conn):
        at = resolve_as_of(as_of, store.read_clock(conn), allow_future=allow_future)
        known = Plans(store.find_plans(conn))
        with progress("Reading", None) as advance:
            done = importing.import_members(
                conn,
                file,
                known,
                at,
                skip_bad=skip_bad,
                on_bad=on_bad,
                progress=advance,
            )
    if json:
        print_json(
            {
                "as_of": at,
                "imported": done.imported,
                "bad": done.bad,
                "bad_lines": bad_lines,
            }
        )
    elif done.bad and not skip_bad:
        console().print(
            f"Nothing imported: {done.bad} bad lines. Mend them, or import the rest "
            "with --skip-bad."
        )
    else:
        console().print(
            f"{done.imported} members imported, {done.bad} bad lines left out."
        )
    raise typer.Exit(1 if done.bad else 0)
