"""
A real PostgreSQL for every test that asks for one: the embedded 18, or
RENEWER_TEST_DATABASE_URL.
"""

import os
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from renewer import store
from renewer.host import embedded
from renewer.store import migrations

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


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The conninfo of a server on which databases may be created."""
    given = os.environ.get("RENEWER_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with embedded.temporary() as conninfo:
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
def empty_database(server: str) -> Iterator[str]:
    """The conninfo of a database without a schema."""
    name = f"renewer_test_{uuid.uuid4().hex}"
    yield _create(server, name, "template0")
    _drop(server, name)


@pytest.fixture
def database(server: str, template: str) -> Iterator[str]:
    """The conninfo of a migrated database of the test's own."""
    name = f"renewer_test_{uuid.uuid4().hex}"
    yield _create(server, name, template)
    _drop(server, name)


@pytest.fixture
def conn(database: str) -> Iterator[store.Database]:
    """A connection to the test's database."""
    with store.connect(database) as opened:
        yield opened
