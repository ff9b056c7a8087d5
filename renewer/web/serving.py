"""Serves the pages with Uvicorn until it is told to leave."""

import signal
from collections.abc import Sequence
from contextlib import closing
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.types import ASGIApp

from renewer.host.settings import Settings, read_brand
from renewer.rules.value import value
from renewer.store.connection import connect
from renewer.store.reading import Reader, check_reader
from renewer.web.access import Guard, check_exposure
from renewer.web.gate import Gate
from renewer.web.routes import DEMO_PAGES, PAGES
from renewer.web.site import Site, build
from renewer.web.stage import Stage

log = structlog.get_logger()


@value
class Place:
    """
    Where pages are served.

    *prefix* is the path a proxy serves them under. *proxies* are the addresses whose
    forwarded headers are believed.
    """

    host: str
    port: int
    prefix: str = ""
    proxies: Sequence[str] = ()


def make_app(
    reader: Reader, settings: Settings, place: Place, stage: Stage | None = None
) -> ASGIApp:
    """Return the application that answers at *place*; with *stage* it is the demo's."""
    keys = settings.link_keys.split(",") if settings.link_keys else []
    guard = Guard(settings.web_token, keys)
    check_exposure(place.host, settings.web_url, guard)
    brand = read_brand(settings.web_brand)
    site = Site(reader.snapshot, guard, settings.catch_up, brand, place.prefix, stage)
    hosts = [place.host, urlsplit(settings.web_url).hostname or ""]
    if stage is None:
        return Gate(build(site, PAGES), hosts, place.prefix)
    # Under no-referrer a browser names no origin with a form, and the buttons need it.
    pages = (*PAGES, *DEMO_PAGES)
    return Gate(build(site, pages), hosts, place.prefix, "same-origin")


def serve(
    conninfo: str, settings: Settings, place: Place, stage: Stage | None = None
) -> None:
    """
    Serve the pages of a database; the first signal ends it.

    With *stage* they are the demo's.
    """
    with connect(conninfo) as conn:
        check_reader(conn)
    with closing(Reader(conninfo)) as reader:
        config = uvicorn.Config(
            make_app(reader, settings, place, stage),
            host=place.host,
            port=place.port,
            # Uvicorn's own line of a request would show the token of a link.
            access_log=False,
            log_config=None,
            server_header=False,
            # Of all others the address is that of their connection.
            forwarded_allow_ips=list(place.proxies),
            timeout_graceful_shutdown=10,
            limit_concurrency=200,
            lifespan="off",
        )
        log.info("web.started", address=f"{place.host}:{place.port}")
        # Uvicorn hears the signals itself, and sends itself another at its end.
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        uvicorn.Server(config).run()
