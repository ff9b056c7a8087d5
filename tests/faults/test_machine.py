"""B and C. What a machine does to a server: lost packets, full disks, broken disks."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL

import psycopg
import pytest

from renewer.store.connection import Database, connect
from tests.faults.proxy import Proxy
from tests.faults.scene import (
    CROWD,
    Ledger,
    OwnServer,
    arguments_of_run,
    assert_undisturbed,
    at_work,
    done,
    ended,
    foresee,
    held_lots,
    is_local,
    judge,
    started,
    until,
    waiting,
)

RUN = arguments_of_run()
TROUBLE = "renewer: the database "


def as_root(*command: str) -> None:
    """Run what only root may; skip the test where the machine does not allow it."""
    if os.geteuid() != 0 or shutil.which(command[0]) is None:
        pytest.skip(f"needs root and {command[0]}")
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        pytest.skip(
            f"this machine does not allow it: {' '.join(command)}: {ran.stderr}"
        )


def serves(url: str) -> bool:
    """Whether the server takes connections."""
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def network(database: str) -> Iterator[tuple[Proxy, tuple[str, ...], str]]:
    """
    Yield a wire to the server through a network of two ends, what is put before a
    command to run it at the far end, and the name of the near one.
    """
    if not is_local(database):
        pytest.skip("the server is not reached over a socket of this machine")
    number = os.getpid() % 60
    space, near, far = f"renewer{number}", f"rnear{number}", f"rfar{number}"
    here, there = f"198.51.100.{4 * number + 1}", f"198.51.100.{4 * number + 2}"
    as_root("ip", "netns", "add", space)
    try:
        as_root("ip", "link", "add", near, "type", "veth", "peer", far, "netns", space)
        as_root("ip", "addr", "add", f"{here}/30", "dev", near)
        as_root("ip", "link", "set", near, "up")
        inside = ("ip", "netns", "exec", space)
        as_root(*inside, "ip", "addr", "add", f"{there}/30", "dev", far)
        as_root(*inside, "ip", "link", "set", far, "up")
        with Proxy(database, here) as wire:
            yield wire, inside, near
    finally:
        subprocess.run(["ip", "netns", "del", space], check=False)


def test_b9_a_network_that_loses_everything_is_given_up(
    database: str, conn: Database, expected: Ledger
) -> None:
    """
    No packet comes through any more in mid-pass: the system sees it long before a
    statement's time is over, the pass leaves with 3, and the next one finishes.
    """
    with network(database) as (wire, inside, near):
        soon = {"keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 2}
        url = wire.through(database, tcp_user_timeout=2000, connect_timeout=2, **soon)
        with held_lots(database, "bob"), started(url, *RUN, prefix=inside) as process:
            until(lambda: waiting(conn))
            as_root("ip", "link", "set", near, "down")
            left = ended(process, within_s=30)
        assert (left.code, "Traceback" in left.err) == (3, False), left.err
        assert left.last_line.startswith(TROUBLE)
    until(lambda: not at_work(conn))
    judge(database, conn, expected)


def test_b9_a_network_that_loses_some_packets_only_takes_longer(
    database: str, conn: Database, expected: Ledger
) -> None:
    """One packet of ten is lost each way: all is done, in one pass."""
    with network(database) as (wire, inside, near):
        as_root("tc", "qdisc", "add", "dev", near, "root", "netem", "loss", "10%")
        left = done(wire.through(database), *RUN, prefix=inside)
    assert left.code == 0, left.err
    assert_undisturbed(conn, expected)


@pytest.mark.timeout(60)
def test_b7_a_disk_that_fails_at_a_commit_loses_nothing(own_server: OwnServer) -> None:
    """
    The write that makes the pass durable fails with EIO, so the server panics and
    recovers. The pass leaves with 3; what it had posted is posted once.
    """
    if shutil.which("strace") is None or os.geteuid() != 0:
        pytest.skip("needs root and Debian's package strace")
    url = own_server.conninfo
    with connect(url) as conn:
        expected = foresee(url, conn)
        traced = own_server.folder / "traced"
        with started(url, *RUN) as process:
            with held_lots(url, "bob"):
                until(lambda: waiting(conn))
                pids = [part for pid in at_work(conn) for part in ("-p", str(pid))]
                inject = "inject=fdatasync,fsync:error=EIO:when=1+"
                command = ["strace", "-f", "-o", str(traced), "-e", inject, *pids]
                tracer = subprocess.Popen(command, stdout=DEVNULL, stderr=DEVNULL)
                until(lambda: traced.exists() and is_traced(pids[1]))
            left = ended(process)
        tracer.wait(20)
        assert "EIO" in traced.read_text()
        assert (left.code, "Traceback" in left.err) == (3, False), left.err
        assert left.last_line.startswith(TROUBLE)
    until(lambda: serves(url))
    with connect(url) as conn:
        judge(url, conn, expected)


def is_traced(pid: str) -> bool:
    """Whether somebody traces a process."""
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Yield a disk of its own, of so many megabytes, whose owner is the server."""
    folder.mkdir()
    as_root("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder))
    try:
        shutil.chown(folder, "pgserver")
        folder.chmod(0o700)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(disk: Path) -> Path:
    """Write a file until the disk is full; return it."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", 0) as file:
        while True:
            file.write(bytes(1 << 16))
    assert shutil.disk_usage(disk).free < 1 << 16
    return filler


def test_c5_a_full_disk_ends_the_pass_and_fails_nobody(own_server: OwnServer) -> None:
    """
    The ledger's disk is full in mid-pass: 3, and who was posted is posted whole. With
    room again the next pass finishes.
    """
    url = own_server.conninfo
    with small_disk(own_server.folder / "disk", 4) as disk:
        with connect(url) as conn:
            expected = foresee(url, conn, CROWD)
            conn.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
            conn.execute("ALTER TABLE renewer.ledger_entry SET TABLESPACE small")
            filler = fill(disk)
            left = done(url, *RUN)
            assert (left.code, "Traceback" in left.err) == (3, False), left.err
            assert left.last_line.startswith(TROUBLE)
            assert "No space left" in left.last_line
            filler.unlink()
            judge(url, conn, expected)
        own_server.stop()


def test_c6_a_full_disk_of_the_log_loses_nothing(own_server: OwnServer) -> None:
    """
    The server cannot write its log and panics in mid-pass: 3. With room again it
    recovers, and the next pass finishes.
    """
    url = own_server.conninfo
    with connect(url) as conn:
        expected = foresee(url, conn)
    own_server.stop("fast")
    log = own_server.data / "pg_wal"
    with small_disk(own_server.folder / "disk", 64) as disk:
        shutil.copytree(log, disk / "log")
        for path in [disk / "log", *(disk / "log").rglob("*")]:
            shutil.chown(path, "pgserver")
        shutil.rmtree(log)
        log.symlink_to(disk / "log")
        own_server.start()
        with held_lots(url, "bob"), started(url, *RUN) as process:
            with connect(url) as conn:
                until(lambda: waiting(conn))
                filler = fill(disk)
                # Each switch needs a file more, and writes into it.
                with suppress(psycopg.OperationalError):
                    while True:
                        conn.execute("SELECT pg_switch_wal()")
                        conn.execute("CHECKPOINT")
            left = ended(process)
        assert (left.code, "Traceback" in left.err) == (3, False), left.err
        assert left.last_line.startswith(TROUBLE)
        filler.unlink()
        if own_server.pid is not None:
            os.kill(own_server.pid, signal.SIGQUIT)
        until(lambda: own_server.pid is None)
        own_server.start()
        with connect(url) as conn:
            judge(url, conn, expected)
        own_server.stop()
