"""Pages for those who would rather look, and the links that open them."""

import re
from datetime import UTC, datetime
from importlib import import_module
from types import ModuleType
from typing import Annotated

import typer

from renewer.cli.options import Json, MemberId
from renewer.cli.output import console, note, print_json
from renewer.errors import InputError
from renewer.host import database
from renewer.host.logs import configure_logs
from renewer.host.settings import read_settings
from renewer.rules.cycle import read_duration

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


def link(
    member: MemberId,
    lifetime: Annotated[
        str,
        typer.Option("--for", metavar="W", help="How long it opens: 15m, 24h, 7d."),
    ],
    json: Json = False,
) -> None:
    """
    Print a link that opens one member's page, and nothing else, for some time.

    Whoever has the link can look. It is signed with the first of RENEWER_LINK_KEYS.
    """
    links = load_pages("links")
    settings = read_settings()
    if settings.link_keys is None:
        raise InputError("links need a key: set RENEWER_LINK_KEYS, 32 bytes at least")
    span = read_duration("--for", lifetime)
    with database.connected(note) as (_, conn):
        held = database.find_member(conn, member)
    expires_at = datetime.now(UTC) + span
    token = links.sign(held.member_id, expires_at, settings.link_keys.split(",")[0])
    url = f"{settings.web_url}/members/{links.segment(held.member_id)}?token={token}"
    if json:
        expires_at = expires_at.replace(microsecond=0)
        print_json({"member_id": member, "url": url, "expires_at": expires_at})
    else:
        console().print(url, soft_wrap=True)
