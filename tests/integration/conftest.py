"""One member of Basic with 40 Connects, for tests of calls and of passes."""

from collections.abc import Iterator

import pytest

from renewer.store.connection import Database, connect
from tests.support import Marketplace, bring_in, load_plans


@pytest.fixture
def market(database: str, conn: Database) -> Marketplace:
    """
    A marketplace with the plans of 2016 and one member of Basic, m, with 40 Connects,
    whose cycle ends with May 18.
    """
    load_plans(conn)
    bring_in(conn, ["m,basic,2016-04-19,UTC,active,40"], "2016-05-01T00:00")
    return Marketplace(conn, database)


@pytest.fixture
def m(market: Marketplace) -> Database:
    """A connection to the database of that marketplace."""
    return market.conn


@pytest.fixture
def other(database: str) -> Iterator[Database]:
    """A second connection, of another process."""
    with connect(database) as opened:
        yield opened
