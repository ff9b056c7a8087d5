"""Which database a command works on, and a connection to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from renewer.errors import InputError, RenewerError, UnknownMember
from renewer.host import embedded
from renewer.host.settings import read_settings
from renewer.rules.ledger import Member
from renewer.store import connection, schema
from renewer.store.connection import Database, connect
from renewer.store.members import find_members
from renewer.store.watch import check_writable

LARGEST_SKEW = timedelta(minutes=10)

MAY_NOT_POST = (
    "this login may not run passes: GRANT renewer_worker to it, or name another in "
    "RENEWER_DATABASE_URL"
)


@contextmanager
def address(say: Callable[[str], None]) -> Iterator[str]:
    """
    Yield the conninfo of the configured database.

    Without one, run the embedded PostgreSQL meanwhile.

    *say* is given the one line that tells which database that is.
    """
    settings = read_settings()
    conninfo = settings.conninfo()
    if conninfo is not None:
        yield conninfo
        return
    folder = settings.data_dir or embedded.data_folder()

    def tell(is_new: bool) -> None:
        made = ""
        if is_new:
            made = " (made now, some seconds)"
        say(
            f"Using the embedded PostgreSQL in {folder}{made}; set "
            "RENEWER_DATABASE_URL for another database."
        )

    with embedded.running(folder, tell) as local:
        yield local


@contextmanager
def connected(say: Callable[[str], None]) -> Iterator[tuple[str, Database]]:
    """Yield conninfo and a connection to a database whose schema is this version's."""
    with address(say) as conninfo, connect(conninfo) as conn:
        schema.check_schema(conn)
        yield conninfo, conn


def read_clock(conn: Database) -> datetime:
    """
    Return the database's clock.

    InputError when it and this host's are more than ten minutes apart.
    """
    now = connection.read_clock(conn)
    here = datetime.now(UTC)
    if abs(now - here) > LARGEST_SKEW:
        raise InputError(
            f"the database's clock says {now.isoformat(timespec='seconds')}, this "
            "host's "
            f"{here.isoformat(timespec='seconds')}: set the wrong one right first"
        )
    return now


def find_member(conn: Database, member_id: str) -> Member:
    """Return a member; UnknownMember when nobody has that id."""
    found = find_members(conn, [member_id])
    if not found:
        raise UnknownMember(f"unknown member {member_id!r}: check the name")
    return found[0]


def prepare_pass(conn: Database) -> datetime:
    """
    Return the time of a pass that begins now.

    SchemaError when the schema was upgraded meanwhile.
    """
    schema.check_schema(conn)
    return read_clock(conn)


def find_obstacles(conn: Database) -> list[str]:
    """Return, a line each, what keeps a pass from working with this database."""
    obstacles = []
    for look in (schema.check_schema, read_clock, check_writable):
        try:
            look(conn)
        except RenewerError as error:
            obstacles.append(str(error))
    return obstacles


def measure_skew(conn: Database) -> timedelta:
    """Return how far the database's clock is ahead of this host's."""
    before = datetime.now(UTC)
    now = connection.read_clock(conn)
    after = datetime.now(UTC)
    return now - (before + (after - before) / 2)
