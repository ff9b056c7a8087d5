"""The command `web`: serve the pages and their API."""

import re
from importlib import import_module
from types import ModuleType
from typing import Annotated

import typer

from renewer.cli.output import note
from renewer.errors import InputError
from renewer.host import database
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings

PORT = 8465
MISSING = "the pages need the extra `web`: pip install 'renewer[web]'"
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*", re.ASCII)


def web(
    host: Annotated[
        str, typer.Option("--host", metavar="H", help="Where to listen.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=1, max=65535, help="Its port.")
    ] = PORT,
    root_path: Annotated[
        str, typer.Option("--root-path", metavar="/P", help="A proxy's prefix.")
    ] = "",
    proxy: Annotated[
        list[str] | None,
        typer.Option(
            "--proxy",
            metavar="A",
            help="An address whose forwarded headers are believed; may be repeated.",
        ),
    ] = None,
) -> None:
    """
    Serve the pages and their API, read-only, until SIGTERM or SIGINT.

    Beyond this machine a credential is needed: RENEWER_WEB_TOKEN for the operator,
    RENEWER_LINK_KEYS for members' links.
    """
    serving = load_pages("serving")
    if not PREFIX.fullmatch(root_path):
        raise InputError(f"--root-path {root_path!r} is no prefix: give one like /p")
    configure_logs()
    settings = read_settings()
    place = serving.Place(host, port, root_path, tuple(proxy or ()))
    with database.connected(note) as (conninfo, conn):
        conn.close()
        serving.serve(conninfo, settings, place)


def load_pages(name: str) -> ModuleType:
    """Return a module of the pages; InputError without the extra `web`."""
    try:
        return import_module(f"renewer.web.{name}")
    except ModuleNotFoundError as error:
        raise InputError(MISSING) from error
