"""Serves the pages with Uvicorn until it is told to leave."""

import signal
from collections.abc import Sequence
from contextlib import closing
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.types import ASGIApp

from renewer import store
from renewer.host.settings import Settings, read_brand
from renewer.rules.ledger import value
from renewer.store.reading import Reader, check_reader
from renewer.web.access import Guard, check_exposure
from renewer.web.gate import Gate
from renewer.web.routes import PAGES
from renewer.web.site import Site, build

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


def make_app(reader: Reader, settings: Settings, place: Place) -> ASGIApp:
    """Return the application that answers at *place*."""
    keys = settings.link_keys.split(",") if settings.link_keys else []
    guard = Guard(settings.web_token, keys)
    check_exposure(place.host, settings.web_url, guard)
    brand = read_brand(settings.web_brand)
    site = Site(reader.snapshot, guard, settings.catch_up, brand, place.prefix)
    hosts = [place.host, urlsplit(settings.web_url).hostname or ""]
    return Gate(build(site, PAGES), hosts, place.prefix)


def serve(conninfo: str, settings: Settings, place: Place) -> None:
    """Serve the pages of a database; the first signal ends it."""
    with store.connect(conninfo) as conn:
        check_reader(conn)
    with closing(Reader(conninfo)) as reader:
        config = uvicorn.Config(
            make_app(reader, settings, place),
            host=place.host,
            port=place.port,
            # Uvicorn's own line of a request would show the token of a link.
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=bool(place.proxies),
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
