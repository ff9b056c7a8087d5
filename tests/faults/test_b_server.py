"""B. Servers that die, refuse or change, and connections that are lost."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from renewer.host import database as host_database
from renewer.jobs import renewal
from renewer.jobs.pass_request import PassOptions, PassRequest
from renewer.store import batches, connection
from renewer.store.batches import Outcome, Unposted
from renewer.store.connection import Database
from renewer.worker import schedule, ticker
from tests.faults.proxy import Link, Proxy, Verdict
from tests.faults.scene import (
    CANARY,
    LINES,
    Done,
    Ledger,
    OwnServer,
    arguments_of_run,
    assert_undisturbed,
    at_work,
    done,
    due,
    ended,
    foresee,
    held_lots,
    is_local,
    judge,
    set_scene,
    started,
    until,
    waiting,
)
from tests.support import (
    signs,
    utc,
)

RUN = arguments_of_run()
CALL = b"CALL renewer.post_batch"
TROUBLE = "renewer: the database "


def assert_told(left: Done, *words: str) -> None:
    """It left with 3 and said why in a line, which holds all of *words*."""
    assert (left.code, "Traceback" in left.err) == (3, False), left.err
    assert left.last_line.startswith(TROUBLE)
    assert [word for word in words if word not in left.last_line] == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_b2_a_server_that_is_stopped_is_told_and_its_members_wait(
    own_server: OwnServer, mode: str
) -> None:
    """Stopped in mid-pass, 3; while it is away, 3; started again, all is done."""
    url = own_server.conninfo
    with connection.connect(url) as conn:
        expected = foresee(url, conn)
        with held_lots(url, "bob"), started(url, *RUN) as process:
            until(lambda: waiting(conn))
            own_server.stop(mode)
            assert_told(ended(process))
    assert_told(done(url, *RUN), "cannot be reached")
    own_server.start()
    assert done(url, *RUN).code == 0
    with connection.connect(url) as conn:
        assert_undisturbed(conn, expected)


def test_b2_a_server_that_shuts_down_lets_nobody_in(own_server: OwnServer) -> None:
    """57P03 is trouble of the server: 3, and after its start the pass is done."""
    url = own_server.conninfo
    with connection.connect(url) as conn:
        expected = foresee(url, conn)
        assert own_server.pid is not None
        os.kill(own_server.pid, signal.SIGTERM)

        def refuses() -> bool:
            try:
                psycopg.connect(url).close()
            except psycopg.OperationalError:
                return True
            return False

        until(refuses)
        assert_told(done(url, *RUN), "shutting down")
    until(lambda: own_server.pid is None)
    own_server.start()
    assert done(url, *RUN).code == 0
    with connection.connect(url) as conn:
        assert_undisturbed(conn, expected)


def test_b4_a_crash_of_one_server_process_ends_all_and_loses_nothing(
    own_server: OwnServer,
) -> None:
    """The server recovers by itself; the next pass finishes."""
    url = own_server.conninfo
    with connection.connect(url) as conn:
        expected = foresee(url, conn)
        with held_lots(url, "bob") as other, started(url, *RUN) as process:
            until(lambda: waiting(conn))
            os.kill(other.info.backend_pid, signal.SIGKILL)
            assert_told(ended(process))
            other.close()

    def serves() -> bool:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return False
        return True

    until(serves)
    with connection.connect(url) as conn:
        judge(url, conn, expected)


def test_b5_a_commit_whose_answer_is_lost_is_not_repeated(
    database: str, conn: Database, expected: Ledger, proxy: Proxy
) -> None:
    """The pass leaves with 3, its members are posted, and the next posts none again."""

    def lose_the_answer(link: Link, to: str, _chunk: bytes) -> Verdict:
        lost = to == "client" and CALL in link.asked
        return Verdict.CUT if lost else Verdict.PASS

    proxy.judge = lose_the_answer
    assert_told(done(proxy.through(database), *RUN))
    until(lambda: not at_work(conn))
    assert due(conn) == len(LINES) - 1, "one bucket's members were posted"
    judge(database, conn, expected)


def test_b6_a_call_that_never_arrives_posts_nobody(
    database: str, conn: Database, expected: Ledger, proxy: Proxy
) -> None:
    """The pass leaves with 3, nobody is posted, and the next posts each once."""

    def lose_the_call(_link: Link, to: str, chunk: bytes) -> Verdict:
        return Verdict.CUT if to == "server" and CALL in chunk else Verdict.PASS

    proxy.judge = lose_the_call
    assert_told(done(proxy.through(database), *RUN))
    until(lambda: not at_work(conn))
    assert due(conn) == len(LINES)
    judge(database, conn, expected)


@pytest.mark.one_server("its answers come in other pieces")
@pytest.mark.parametrize("answer", [b"BEGIN\0", b"COMMIT\0", b"CALL\0", b"SELECT 1\0"])
def test_b5_an_answer_that_comes_twice_is_trouble_of_the_wire(
    database: str, conn: Database, expected: Ledger, proxy: Proxy, answer: bytes
) -> None:
    """A pooler that loses count is no wrong call: 3, and the next pass goes on."""

    def repeat(_link: Link, to: str, chunk: bytes) -> Verdict:
        twice = to == "client" and answer in chunk
        return Verdict.TWICE if twice else Verdict.PASS

    proxy.judge = repeat
    assert_told(done(proxy.through(database), *RUN))
    until(lambda: not at_work(conn))
    judge(database, conn, expected)


@pytest.mark.parametrize("lost", ["answer", "commit"])
def test_b5_b6_a_commit_of_a_locked_member_is_lost(
    database: str,
    conn: Database,
    expected: Ledger,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    """
    A member posted under a lock is committed by a statement of its own: without its
    answer they are posted, without itself they are not; the next pass finishes.
    """

    def judge_chunk(link: Link, to: str, chunk: bytes) -> Verdict:
        if b"renewer.post_member" in link.asked and b"COMMIT\0" in link.asked:
            cut = to == "client" if lost == "answer" else b"COMMIT\0" in chunk
            return Verdict.CUT if cut else Verdict.PASS
        return Verdict.PASS

    def conflict(
        _conn: Database, planned: list[dict[str, str]], _run: int
    ) -> list[Unposted]:
        return [Unposted(each["member_id"], Outcome.CONFLICT) for each in planned]

    proxy.judge = judge_chunk
    connect = partial(connection.connect, proxy.through(database))
    with monkeypatch.context() as patched:
        patched.setattr(batches, "post_batch", conflict)
        with pytest.raises(psycopg.OperationalError):
            renewal.renew_due(connect, PassRequest(utc(RUN[2]), PassOptions(threads=1)))
    until(lambda: not at_work(conn))
    assert due(conn) == len(LINES) - (lost == "answer")
    judge(database, conn, expected)


@pytest.mark.parametrize("where", ["call", "anywhere else", "connect"])
def test_b8_a_half_open_connection_is_given_up(
    database: str, conn: Database, expected: Ledger, proxy: Proxy, where: str
) -> None:
    """
    A peer that is gone without a word holds a pass no longer than a statement may
    take, and then holds nothing on the server either.
    """

    def fall_silent(_link: Link, to: str, chunk: bytes) -> Verdict:
        marks = {"call": CALL, "anywhere else": b"renewer.plan"}
        if to == "server" and marks[where] in chunk:
            proxy.silent.set()
        return Verdict.PASS

    if where == "connect":
        proxy.silent.set()
    else:
        proxy.judge = fall_silent
    url = proxy.through(database, connect_timeout=2)
    left = done(url, *RUN, env={"RENEWER_STATEMENT_TIMEOUT": "2"}, within_s=20)
    assert_told(left)
    assert proxy.silent.is_set()
    until(lambda: not [pid for pid in at_work(conn) if pid in waiting(conn)])
    proxy.cut()
    until(lambda: not at_work(conn))
    judge(database, conn, expected)


@pytest.mark.one_server("over several nodes there is no feed")
def test_b8_who_follows_the_feed_over_a_half_open_connection_is_told(
    database: str, conn: Database, expected: Ledger, proxy: Proxy
) -> None:
    """A reader that is silent looks like one that has nothing to tell."""
    env = {"RENEWER_STATEMENT_TIMEOUT": "2"}
    with started(proxy.through(database), "events", "--follow", env=env) as process:
        until(lambda: any(b"renewer.events(" in link.asked for link in proxy.links))
        proxy.silent.set()
        assert_told(ended(process, 20), "no answer from the server")


def test_b8_a_half_open_connection_holds_up_no_tick_for_long(
    database: str, conn: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's patience for a pass is not for the feed: it ticks over another."""
    set_scene(conn)
    for name, seconds in (("EVERY_S", 0.1), ("AGAIN_S", 0.1), ("PATIENCE_S", 1.0)):
        monkeypatch.setattr(ticker, name, seconds)
    proxy.judge = lambda link, to, _chunk: (
        Verdict.DROP
        if to == "client" and link is proxy.links[0] and b".tick()" in link.asked
        else Verdict.PASS
    )
    connect = partial(connection.connect, proxy.through(database), patience_s=240)
    stop = threading.Event()
    ticking = threading.Thread(target=ticker.keep_ticking, args=(connect, stop))
    ticking.start()
    try:
        until(lambda: len(proxy.links) > 1, within_s=20)
    finally:
        stop.set()
        proxy.cut()
        ticking.join(20)
    assert not ticking.is_alive()


def test_b8_what_a_half_open_connection_holds_is_let_go(
    database: str, conn: Database, expected: Ledger, proxy: Proxy
) -> None:
    """
    The peer stays half-open for ever; the server lets go of buckets and members
    within the time of a statement, so that the next pass waits for nobody.
    """

    def fall_silent(_link: Link, to: str, chunk: bytes) -> Verdict:
        if to == "server" and CALL in chunk:
            proxy.silent.set()
            return Verdict.DROP
        return Verdict.PASS

    proxy.judge = fall_silent
    url = proxy.through(database)
    env = {"RENEWER_STATEMENT_TIMEOUT": "2"}
    assert_told(done(url, *RUN, env=env, within_s=20))
    count = (
        "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database())"
    )
    until(lambda: conn.execute(count).fetchone() == {"n": 0}, within_s=10)
    judge(database, conn, expected)


def sweep_of_strace(
    database: str, conn: Database, inject: str, step: int
) -> Iterator[tuple[int, Done]]:
    """Yield each n and how a pass ended whose n-th call was injected, up to no more."""
    if shutil.which("strace") is None:
        pytest.skip("Debian's package strace is missing")
    names = [each.split(",")[0] for each in LINES]
    # Named members are posted by the main thread: strace counts thread by thread.
    named = [part for name in names for part in ("--member", name)]
    trace = inject.partition(":")[0]
    for nth in range(1, 200, step):
        set_scene(conn)
        strace = (
            "strace", "-f", "-qq", "-o", "/dev/null",
            "-e", f"trace={trace}", "-e", f"inject={inject}:when={nth}",
        )  # fmt: skip
        left = done(database, *RUN, *named, prefix=strace)
        until(lambda: not at_work(conn))
        yield nth, left


@pytest.mark.parametrize("inject", ["recvfrom:error=ECONNRESET"])
def test_b10_a_connection_is_reset_at_every_read(
    database: str,
    conn: Database,
    expected: Ledger,
    request: pytest.FixtureRequest,
    inject: str,
) -> None:
    """Whichever read fails, the pass leaves with 3 and a line; the next ends it."""
    step = 1 if request.config.getoption("--long") else 8
    codes = []
    for _nth, left in sweep_of_strace(database, conn, inject, step):
        codes.append(left.code)
        assert "Traceback" not in left.err
        if left.code == 0:
            break
        assert_told(left)
        judge(database, conn, expected)
    assert codes[-1] == 0
    assert set(codes[:-1]) == {3}


@pytest.mark.parametrize("trace", ["sendto", "recvfrom"])
def test_a1_a_pass_may_be_killed_at_every_call(
    database: str,
    conn: Database,
    expected: Ledger,
    request: pytest.FixtureRequest,
    trace: str,
) -> None:
    """Killed in the n-th send or receive, it leaves whole members to the next."""
    step = 1 if request.config.getoption("--long") else 8
    codes = []
    inject = f"{trace}:signal=SIGKILL"
    for _nth, left in sweep_of_strace(database, conn, inject, step):
        codes.append(left.code)
        if left.code == 0:
            break
        judge(database, conn, expected)
    assert codes[-1] == 0
    assert len(set(codes[:-1])) == 1


def test_b12_a_limit_of_connections_is_trouble_of_the_server(
    database: str, conn: Database, expected: Ledger, worker_login: str
) -> None:
    """53300, at the first connection or a later one: 3, and the next pass is done."""
    url = make_conninfo(database, user=worker_login, password=CANARY)
    for limit in (0, 1, 2):
        conn.execute(f"ALTER ROLE {worker_login} CONNECTION LIMIT {limit}")
        left = done(url, *RUN)
        assert_told(left, "too many connections")
        until(lambda: not at_work(conn))
    conn.execute(f"ALTER ROLE {worker_login} CONNECTION LIMIT -1")
    assert done(url, *RUN).code == 0
    assert_undisturbed(conn, expected)


def read_only(conn: Database, value: str) -> None:
    """Make the database read-only for new sessions, as after a failover, or not."""
    conn.execute(
        f"ALTER DATABASE {conn.info.dbname} SET default_transaction_read_only = {value}"
    )


def test_b13_a_server_that_is_read_only_is_told(
    database: str, conn: Database, expected: Ledger
) -> None:
    """25006 is 3 and nobody's failure; when it is over, the pass is done."""
    read_only(conn, "on")
    assert_told(done(database, *RUN), "read-only")
    read_only(conn, "off")
    assert done(database, *RUN).code == 0
    assert_undisturbed(conn, expected)


def test_b13_a_worker_goes_on_once_the_server_may_be_written_to(
    database: str,
    conn: Database,
    expected: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It tells the trouble once, tries again, and tells once that it is over."""
    told: list[str] = []

    class Log:
        def __getattr__(self, _level: str) -> object:
            return lambda event, **_more: told.append(event)

    monkeypatch.setattr(schedule, "log", Log())
    monkeypatch.setattr(schedule, "RETRY", schedule.timedelta(milliseconds=100))
    monkeypatch.setattr(schedule, "TICK_S", 0.05)
    stop, tries = threading.Event(), []

    def prepare(conn: Database) -> object:
        tries.append(conn)
        host_database.prepare_pass(conn)
        return utc(RUN[2])

    connect = partial(connection.connect, database, stop=stop)
    shown = signs(connect, stop)
    options = PassOptions()
    work = schedule.Worker(connect, [connect], options, prepare, stop, shown)
    read_only(conn, "on")
    thread = threading.Thread(target=work.serve)
    thread.start()
    try:
        until(lambda: len(tries) > 2)
        read_only(conn, "off")
        until(lambda: "database.back" in told)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert [each for each in told if each.startswith("database.")] == [
        "database.away",
        "database.back",
    ]
    assert_undisturbed(conn, expected)


@pytest.mark.one_server("whom nodes let in is their own affair")
@pytest.mark.parametrize(
    "what",
    [
        {"user": "renewer_nobody_here"},
        {"dbname": "renewer_no_such_database"},
        {"sslmode": "require"},
    ],
)
def test_b14_a_login_that_is_refused_is_told_without_its_secret(
    database: str, proxy: Proxy, what: dict[str, str]
) -> None:
    """Role or database missing, or no TLS: 3, a line, one try, and no password."""
    url = make_conninfo(proxy.through(database, password=CANARY), **what)
    left = done(url, *RUN)
    assert_told(left, "cannot be reached")
    assert CANARY not in left.out + left.err
    assert len(proxy.links) == 1


def test_b14_a_wrong_password_is_told_and_not_tried_in_a_hot_loop(
    own_server: OwnServer, tmp_path: Path
) -> None:
    """`run` leaves with 3; a worker says it once and waits; neither shows a secret."""
    own_server.stop("fast")
    (own_server.data / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    own_server.start()
    with Proxy(own_server.conninfo) as proxy:
        url = proxy.through(own_server.conninfo, password=CANARY)
        left = done(url, *RUN)
        assert_told(left, "password authentication failed")
        log = tmp_path / "log"
        with log.open("w") as err, started(url, "worker", stderr=err) as process:
            until(lambda: "database.away" in log.read_text())
            until(lambda: "listener.lost" in log.read_text())
            before = len(proxy.links)
            began = time.monotonic()
            until(lambda: time.monotonic() - began > 2)
            # Each of the worker's threads may knock once; a hot loop knocks hundreds.
            assert len(proxy.links) - before <= 3
            process.terminate()
            assert process.wait(20) == 0
    told = left.out + left.err + log.read_text()
    assert (told.count("database.away"), CANARY in told) == (1, False)


@contextmanager
def pooler(database: str) -> Iterator[str]:
    """Yield the address of a new PgBouncer in transaction mode."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("Debian's package pgbouncer is missing")
    named = conninfo_to_dict(database)
    if not is_local(database):
        pytest.skip("the server is not reached over a socket of this machine")
    with tempfile.TemporaryDirectory(prefix="renewer-pooler-", dir="/tmp") as made:
        folder = Path(made)
        folder.chmod(0o777)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "pgbouncer.ini").write_text(
            "[databases]\n"
            f"* = host={named['host']} port={named.get('port') or 5432} "
            f"user={named.get('user', 'postgres')}\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\n"
            "ignore_startup_parameters = extra_float_digits,options\n"
            f"logfile = {folder}/log\n"
        )
        (folder / "pgbouncer.ini").chmod(0o644)
        # It refuses to run as root, and the socket may be its owner's alone.
        owner = Path(str(named["host"])).owner()
        as_whom = ["-u", owner] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            ["pgbouncer", "-q", *as_whom, str(folder / "pgbouncer.ini")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = make_conninfo(
            database, host="127.0.0.1", port=str(port), sslmode="disable"
        )

        def serves() -> bool:
            try:
                psycopg.connect(url).close()
            except psycopg.OperationalError:
                return False
            return True

        try:
            until(serves)
            yield url
        finally:
            process.terminate()
            process.wait(10)


def test_b15_through_a_pooler_in_transaction_mode_a_pass_is_the_same(
    database: str,
    conn: Database,
    expected: Ledger,
) -> None:
    """The ledger is the same, and no lease is held once the pass is over."""
    with pooler(database) as url:
        left = done(url, *RUN, env={"RENEWER_THREADS": "2"})
        assert left.code == 0, left.err
        assert_undisturbed(conn, expected)
        assert done(url, "verify").code == 0
    held = (
        "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database())"
    )
    assert conn.execute(held).fetchone() == {"n": 0}


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("default_transaction_isolation = 'serializable'", 0),
        ("TimeZone = 'Asia/Tokyo'", 0),
        ("IntervalStyle = 'sql_standard'", 0),
        ("search_path = public", 0),
        ("search_path = public, pg_catalog", 2),
        ("DateStyle = 'SQL, DMY'", 2),
    ],
)
def test_b15_what_a_role_sets_is_the_same_through_a_pooler_or_refused(
    database: str,
    conn: Database,
    expected: Ledger,
    setting: str,
    code: int,
) -> None:
    """Nothing can be pinned there: what cannot be read is refused with a way out."""
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {setting}")
    with pooler(database) as url:
        left = done(url, *RUN)
    assert left.code == code, left.err
    if code:
        assert "ALTER ROLE" in left.last_line
        judge(database, conn, expected)
    assert_undisturbed(conn, expected)


def test_b15_no_timeout_of_a_role_ends_a_lease_through_a_pooler(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Its transaction is idle for as long as the batch takes."""
    conn.execute(
        f"ALTER DATABASE {conn.info.dbname} "
        "SET idle_in_transaction_session_timeout = '300ms'".encode()
    )
    with pooler(database) as url, started(url, *RUN) as process:
        with held_lots(database, "bob") as held:
            held.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            until(lambda: waiting(conn))
            began = time.monotonic()
            until(lambda: time.monotonic() - began > 1)
        left = ended(process)
    assert left.code == 0, left.err
    assert_undisturbed(conn, expected)


def test_b15_migrating_through_a_pooler_leaves_nothing_behind(
    database: str,
) -> None:
    """The next client of its connections finds the settings of a new session."""
    with pooler(database) as url:
        with psycopg.connect(url) as before:
            expected = before.execute("SHOW search_path").fetchone()
        assert done(url, "migrate").code == 0
        opened = [psycopg.connect(url) for _ in range(4)]
        found = {each.execute("SHOW search_path").fetchone() for each in opened}
        for each in opened:
            each.close()
    assert found == {expected}
