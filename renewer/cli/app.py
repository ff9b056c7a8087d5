"""The application: its commands, and where errors become a line and an exit code."""

import gc
import os
import signal
import sys
from importlib import import_module
from importlib.metadata import version
from keyword import iskeyword
from typing import Annotated, Any, NoReturn

import psycopg
import typer
from pydantic import ValidationError
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from renewer.cli.output import complain
from renewer.errors import RenewerError
from renewer.host.settings import find_misnamed, what_fits
from renewer.host.streams import steady_streams
from renewer.store.connection import is_server_trouble, one_line

COMMANDS = (
    "demo",
    "migrate",
    "plans",
    "import",
    "run",
    "worker",
    "backfill",
    "explain",
    "preview",
    "history",
    "status",
    "members",
    "failures",
    "cycles",
    "verify",
    "audit",
    "export",
    "events",
    "expiring",
    "seal",
    "web",
    "link",
)
"""The commands in the order of the help."""


def module_of(command: str) -> str:
    """
    Return the name of a command's module, and of the function or group in it.

    It is the command's own name; a Python keyword gets an underscore (`import_`).
    """
    return f"{command}_" if iskeyword(command) else command


class Commands(TyperGroup):
    """The commands. Each is imported when it is called, so it loads only its own."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        # Placeholders: Click suggests from these names after a typo.
        self.commands.update({name: TyperCommand(name) for name in COMMANDS})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return the command of that name, or None."""
        if cmd_name not in COMMANDS:
            return None
        name = module_of(cmd_name)
        found = getattr(import_module(f"renewer.cli.{name}"), name)
        alone = typer.Typer(rich_markup_mode=self.rich_markup_mode)
        if isinstance(found, typer.Typer):
            alone.add_typer(found)
        else:
            alone.command(cmd_name)(found)
        return get_group(alone).commands[cmd_name]


app = typer.Typer(
    name="renewer",
    cls=Commands,
    help=(
        "Renews members' monthly Connects when their own billing cycle ends: once, "
        "on time, and explains itself."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"renewer {version('renewer')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Print the version and leave.",
        ),
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """
    Run the command line.

    What an operator can act on becomes one line on stderr and an exit code.
    """
    steady_streams()
    if not all(map(_is_text, sys.argv)):
        _leave("an argument is not valid UTF-8: check the terminal's encoding", 2)
    # An exception, so that what is open is left in order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _warn_of_misnamed_settings()
    # What commands make has no cycles: looking for them took a sixth of planning.
    gc.freeze()
    gc.set_threshold(50_000)
    try:
        # Typer would tell of a wrong call in a box of its own.
        code = app(prog_name="renewer", standalone_mode=False)
    except typer.TyperException as error:
        _refuse_call(error)
    except RenewerError as error:
        _leave(str(error), error.exit_code)
    except psycopg.Error as error:
        _leave(*_judge(error))
    except OSError as error:
        # Too many open files, no memory: the system's trouble, which passes.
        _leave(f"the system refuses: {one_line(error)}; nothing is lost", 3)
    except KeyboardInterrupt:
        _leave("interrupted; nothing is lost", 130)
    sys.exit(code)


def _warn_of_misnamed_settings() -> None:
    """Say in one line which variables look like settings and are none."""
    misnamed = "; ".join(find_misnamed(os.environ))
    if misnamed:
        complain(misnamed)


def _refuse_call(error: typer.TyperException) -> NoReturn:
    """Say in one line what is wrong with a call, and which help tells more."""
    told = " ".join(error.format_message().split()).rstrip(".")
    if not told:
        # A group that was called without a command has printed its help.
        sys.exit(2)
    refused = error.__cause__
    if isinstance(error, typer.BadParameter) and isinstance(refused, ValidationError):
        first = refused.errors()[0]
        name = ""
        if error.param is not None:
            name = error.param.get_error_hint()
        name = name.replace("'", "")
        told = f"{name} {first['input']!r} cannot be used: {what_fits(first)}"
    context = getattr(error, "ctx", None)
    command = "renewer"
    if context is not None:
        command = context.command_path
    _leave(f"{told}; see {command} --help", 2)


def _judge(error: psycopg.Error) -> tuple[str, int]:
    """Return what an error of the database means to an operator, and the exit code."""
    told = one_line(error)
    if is_server_trouble(error):
        return f"the database failed: {told}; nothing is lost, run it again", 3
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        way_out = "connect as a role that may, see `renewer migrate --roles`"
        return f"the database refuses: {told}; {way_out}", 2
    return f"the database refuses: {told}", 2


def _is_text(argument: str) -> bool:
    """
    Whether PostgreSQL can hold *argument*.

    Bytes that are no UTF-8 arrive as lone surrogates, which cannot be encoded.
    """
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in argument


def _leave(message: str, code: int) -> NoReturn:
    complain(message)
    sys.exit(code)
