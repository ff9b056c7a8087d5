"""
A real PostgreSQL for every test that asks for one: the embedded 18, or
RENEWER_TEST_DATABASE_URL, or the Citus cluster whose coordinator is at
RENEWER_TEST_CITUS_URL.
"""

import os
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from renewer.host import embedded
from renewer.store import migrations
from renewer.store.connection import Database, connect
from tests.cluster import Cluster
from tests.support import quick_folder

# A shared machine is slow now and then: a test never asserts a time.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

# Workers of tests that run side by side would all want one port.
os.environ.setdefault("RENEWER_MONITOR", "off")
# What a test says of a process holds on any number of cores.
os.environ.setdefault("RENEWER_PROCESSES", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run long suites (bench) in their long form"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "one_server(reason): not for a cluster, and why not"
    )
    config.addinivalue_line("markers", "gate: minutes long, run by .ci/run alone")


FOR_THE_GATE = ("faults", "mutations", "bench")
"""Folders whose tests take minutes; modules elsewhere carry the marker themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the folders that only the gate runs."""
    for item in items:
        if item.path.parent.name in FOR_THE_GATE:
            item.add_marker(pytest.mark.gate)


CITUS_URL = os.environ.get("RENEWER_TEST_CITUS_URL")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is not for a cluster, when there is one."""
    marker = item.get_closest_marker("one_server")
    if CITUS_URL and marker is not None:
        pytest.skip(f"not for a cluster: {marker.args[0]}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Citus cluster."""
    if not CITUS_URL:
        pytest.skip("RENEWER_TEST_CITUS_URL names no coordinator of a cluster")
    with Cluster(CITUS_URL) as found:
        yield found


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The conninfo of a server on which databases may be created."""
    if CITUS_URL:
        yield CITUS_URL
        return
    given = os.environ.get("RENEWER_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with embedded.temporary(quick_folder()) as conninfo:
        yield conninfo


def _create(server: str, name: str, template: str) -> str:
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return make_conninfo(server, dbname=name)


def _drop(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """The name of a migrated database to clone."""
    name = f"renewer_template_{uuid.uuid4().hex}"
    migrations.migrate(_create(server, name, "template0"))
    yield name
    _drop(server, name)


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, server: str) -> Iterator[str]:
    """The conninfo of a database without a schema."""
    name = f"renewer_test_{uuid.uuid4().hex}"
    if CITUS_URL:
        with request.getfixturevalue("cluster").database(name) as made:
            yield made
        return
    yield _create(server, name, "template0")
    _drop(server, name)


@pytest.fixture(scope="session")
def spread(cluster: Cluster) -> Iterator[str]:
    """The conninfo of a database of a cluster, with members spread over its nodes."""
    with cluster.database(f"renewer_spread_{uuid.uuid4().hex}") as made:
        migrations.migrate(made, distributed=True)
        yield made


@pytest.fixture
def database(request: pytest.FixtureRequest, server: str) -> Iterator[str]:
    """The conninfo of a migrated database of the test's own."""
    if CITUS_URL:
        made = request.getfixturevalue("spread")
        request.getfixturevalue("cluster").clear(made)
        yield made
        return
    name = f"renewer_test_{uuid.uuid4().hex}"
    yield _create(server, name, request.getfixturevalue("template"))
    _drop(server, name)


@pytest.fixture
def conn(database: str) -> Iterator[Database]:
    """A connection to the test's database."""
    with connect(database) as opened:
        yield opened
