"""One database with members of every kind, and the pages on it."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from renewer.cli.simulation import Simulation
from renewer.host.settings import Settings
from renewer.store import migrations
from renewer.store.connection import connect
from renewer.store.reading import Reader
from renewer.store.watch import take_census
from renewer.web.serving import Place, make_app
from renewer.web.stage import Stage
from tests.conftest import _create, _drop
from tests.support import bring_in, load_plans, renew

LINES = (
    "ana,basic,2016-04-19,UTC,active,2",
    "ben,plus,2016-04-10,Europe/Berlin,active,30",
    "held,plus,2016-04-10,UTC,under_review,5",
    "sus,basic,2016-04-19,UTC,suspended,4",
    "shut,basic,2016-04-19,UTC,closed,3",
    "a/b <i>ä,basic,2016-04-19,UTC,active,2",
)
TOKEN = "operator-" + "t" * 32
KEYS = "new-" + "k" * 32, "old-" + "k" * 32
Client = Callable[..., TestClient]


@pytest.fixture(scope="module")
def marketplace(server: str, template: str) -> Iterator[str]:
    """A database whose members nobody changes."""
    name = f"renewer_web_{uuid.uuid4().hex}"
    conninfo = _create(server, name, template)
    migrations.migrate(conninfo, roles=True)
    with connect(conninfo) as conn:
        load_plans(conn)
        bring_in(conn, LINES, "2016-05-01")
        bring_in(conn, ["lost,basic,2016-04-19,UTC,active,2"], "2016-05-01")
        conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'lost'")
        # Somebody whose cycle is in order now, whatever day the test runs.
        today = datetime.now(UTC).date()
        line = f"now,plus,{today - timedelta(days=75)},Europe/Berlin,active,30"
        bring_in(conn, [line], today.isoformat())
        conn.execute("SELECT renewer.purchase('now', 40, 'invoice 12')")
        conn.execute("SELECT renewer.spend('now', 6, 'proposal 77')")
        conn.execute("SELECT renewer.grant_bonus('ana', 7, '=bonus <b>')")
    renew(conninfo, "2016-07-01T00:00")
    with connect(conninfo) as conn:
        take_census(conn, timedelta(0))
    yield conninfo
    _drop(server, name)


@pytest.fixture
def reader(marketplace: str) -> Iterator[Reader]:
    with closing(Reader(marketplace)) as opened:
        yield opened


@pytest.fixture
def client(reader: Reader) -> Client:
    """Return a browser without credentials for pages with the given settings."""

    def open_client(
        place: Place | None = None, base: str = "http://localhost", **settings: str
    ) -> TestClient:
        given = Settings.model_validate(settings)
        app = make_app(reader, given, place or Place("127.0.0.1", 8465))
        return TestClient(app, base_url=base, follow_redirects=False)

    return open_client


@contextmanager
def open_pages(
    conninfo: str, stage: Stage | None = None, **settings: str
) -> Iterator[TestClient]:
    """Yield a browser on the pages of any database."""
    with closing(Reader(conninfo)) as opened:
        given, place = Settings.model_validate(settings), Place("127.0.0.1", 8465)
        app = make_app(opened, given, place, stage)
        base = "http://localhost:8465"
        yield TestClient(app, base_url=base, follow_redirects=False)


@pytest.fixture
def closed(client: Client) -> TestClient:
    """Return a browser for pages that ask for a credential."""
    return client(web_token=TOKEN, link_keys=",".join(KEYS))


@pytest.fixture
def simulation(server: str, template: str) -> Iterator[Simulation]:
    """Members of the demo, on 14 May 2016 at 12:00."""
    name = f"renewer_demo_{uuid.uuid4().hex}"
    made = Simulation(_create(server, name, template))
    made.prepare()
    yield made
    _drop(server, name)
