"""The command `link`: a signed link to one member's page."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from renewer.cli.options import Json, MemberId
from renewer.cli.output import console, note, print_json
from renewer.cli.web import load_pages
from renewer.errors import InputError
from renewer.host import database
from renewer.host.settings import read_settings
from renewer.rules.calendar import read_duration


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
