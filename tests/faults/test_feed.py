"""
Readers of the feed get every entry exactly once, whatever happens to them and the
server.

FEED_SEED repeats its choices; with --long it has five minutes.
"""

import contextlib
import json
import os
import random
import subprocess
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from renewer.errors import RenewerError, UnknownCursor
from renewer.store.connection import Database, connect
from renewer.store.feed import read_events, tick
from tests.faults.scene import OwnServer, done, started, until
from tests.faults.test_g_schema import find_tools
from tests.support import bring_in, load_plans, renew

pytestmark = pytest.mark.one_server("over several nodes there is no feed")

MEMBERS = [f"m{n}" for n in range(12)]
SHORT_S, LONG_S = 10, 300
Told = tuple[str, int, int, int, int]
"""Of an event: member, first and last entry, what it moved, the balance after it."""


class Reader:
    """A program that keeps each event with its cursor, and is killed now and then."""

    def __init__(self, url: str, file: Path) -> None:
        self._url, self._file = url, file

    @property
    def kept(self) -> list[dict[str, Any]]:
        """What it has, in the order it came; of a line that was cut off it has none."""
        text = self._file.read_text() if self._file.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    @property
    def cursor(self) -> list[str]:
        """The option to go on with."""
        kept = self.kept
        return ["--after", kept[-1]["cursor"]] if kept else []

    def read_for(self, seconds: float, slowly: bool) -> None:
        """Follow the feed for a while, then be killed in whatever it does."""
        self._cut_torn()
        with (
            self._file.open("a") as out,
            started(
                self._url, "events", "--follow", *self.cursor, stdout=out
            ) as process,
        ):
            if slowly:
                time.sleep(seconds / 2)
                process.send_signal(19)
                time.sleep(seconds / 2)
            else:
                with contextlib.suppress(Exception):
                    process.wait(seconds)

    def read_on(self) -> None:
        """Read to the end."""
        self._cut_torn()
        left = done(self._url, "events", *self.cursor)
        assert left.code == 0, left.err
        with self._file.open("a") as out:
            out.write(left.out)

    def _cut_torn(self) -> None:
        """Throw away a line that was cut off by the kill."""
        if self._file.exists():
            whole = self._file.read_text().rpartition("\n")
            self._file.write_text(whole[0] + whole[1])


def spend(url: str, dice: random.Random, stop: threading.Event, name: str) -> None:
    """Call for members in transactions of every kind, and start anew after a crash."""
    calls = 0
    while not stop.is_set():
        with contextlib.suppress(psycopg.Error), psycopg.connect(url) as conn:
            while not stop.is_set():
                calls += 1
                with contextlib.suppress(psycopg.DatabaseError):
                    _call(conn, dice, f"{name} {calls}")


def _call(conn: psycopg.Connection[Any], dice: random.Random, name: str) -> None:
    members = dice.sample(MEMBERS, dice.choice((1, 1, 1, 2, 3)))
    with conn.transaction(force_rollback=dice.random() < 0.2):
        for place, member_id in enumerate(sorted(members)):
            # A subtransaction has an id of its own, which no cursor may go by.
            with (
                conn.transaction() if dice.random() < 0.5 else contextlib.nullcontext()
            ):
                conn.execute(
                    "SELECT renewer.purchase(%s, %s, %s)",
                    [member_id, dice.randrange(1, 9), f"{name} {place}"],
                )
        # Most are quick; some stay open over several ticks.
        time.sleep(dice.choice((0, 0, 0, 0.02, 0.3, 2.5)))


def pass_on(url: str, stop: threading.Event) -> None:
    """Renew everybody month after month, with commits that a crash takes back."""
    months = 0
    while not stop.is_set():
        year, month = divmod(2 + months, 12)
        with contextlib.suppress(psycopg.Error, RenewerError):
            report = renew(url, f"{2016 + year}-{month + 1:02}-28T00:00")
            months = (months + 1) % 1000 if not report.left else months
        stop.wait(0.2)


def tick_on(url: str, stop: threading.Event) -> None:
    """Tick as the application does, from several sessions at once."""
    while not stop.is_set():
        with (
            contextlib.suppress(psycopg.Error, RenewerError),
            connect(url) as conn,
        ):
            while not stop.wait(0.3):
                tick(conn)


def crash_on(server: OwnServer, dice: random.Random, stop: threading.Event) -> None:
    """Take the server's power away, now and then."""
    while not stop.wait(dice.uniform(4, 9)):
        server.stop("immediate")
        server.start()


@pytest.mark.timeout(900)
def test_a_reader_has_each_entry_once_and_in_order(
    own_server: OwnServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Beside passes, rollbacks, long transactions and crashes; also who starts late."""
    seed = int(os.environ.get("FEED_SEED") or random.randrange(2**32))
    print(f"FEED_SEED={seed}")
    dice = random.Random(seed)
    url = own_server.conninfo
    with connect(url) as conn:
        load_plans(conn)
        bring_in(
            conn, [f"{name},plus,2015-12-0{1 + n % 9},UTC,active,30"
                   for n, name in enumerate(MEMBERS)], "2016-02-01T00:00",
        )  # fmt: skip
    stop = threading.Event()
    seconds = LONG_S if request.config.getoption("--long") else SHORT_S
    threads = [
        threading.Thread(
            target=spend, args=(url, random.Random(f"{seed} {n}"), stop, f"s{n}")
        )
        for n in range(4)
    ]
    threads += [
        threading.Thread(target=pass_on, args=(url, stop)),
        threading.Thread(target=tick_on, args=(url, stop)),
        threading.Thread(target=tick_on, args=(url, stop)),
        threading.Thread(target=crash_on, args=(own_server, random.Random(seed), stop)),
    ]
    for thread in threads:
        thread.start()
    reader = Reader(url, tmp_path / "kept")
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        reader.read_for(dice.uniform(0.8, 3), slowly=dice.random() < 0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert own_server.pid is not None
    reader.read_on()
    late = Reader(url, tmp_path / "late")
    late.read_on()
    with connect(url) as conn:
        check(conn, reader.kept)
        check(conn, late.kept)
        ticks = conn.execute("SELECT count(*) AS n FROM renewer.tick").fetchone()
    assert ticks is not None
    # It was put to the test: many batches, and many events that came while it ran.
    assert ticks["n"] >= seconds / 8
    assert len(reader.kept) > 3 * len(MEMBERS)


def check(conn: Database, kept: list[dict[str, Any]]) -> None:
    """What a reader kept is the ledger, each entry once, each member's in order."""
    events = [each["event"] for each in kept]
    assert len({event["id"] for event in events}) == len(events)
    read: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    for event in events:
        data = event["data"]
        moved = data["first_seq"], data["last_seq"], data["amount"], data["balance"]
        read[event["subject"]].append(moved)
    with conn.cursor(row_factory=tuple_row) as cur:
        rows = cur.execute(
            "SELECT member_id, seq, amount, balance_after FROM renewer.ledger_entry "
            "ORDER BY member_id, seq"
        ).fetchall()
    written: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for member_id, seq, amount, balance in rows:
        written[member_id][seq] = amount, balance
    for member_id, entries in written.items():
        following = 1
        for first, last, amount, balance in read[member_id]:
            assert first == following, (member_id, first, following)
            assert amount == sum(entries[seq][0] for seq in range(first, last + 1))
            assert balance == entries[last][1]
            following = last + 1
        assert following == len(entries) + 1, (member_id, following)


def begin(conn: Database) -> None:
    """Bring one member in and tick: the first event of a feed."""
    load_plans(conn)
    bring_in(conn, ["m0,basic,2012-01-31,UTC,active,2"], "2016-03-01T00:00")
    assert tick(conn) == 1


def test_a_standby_that_lags_behind_loses_no_reader(
    own_server: OwnServer,
) -> None:
    """Of a cursor it has not come to it tells nothing, and goes on behind it later."""
    with connect(own_server.conninfo) as conn:
        begin(conn)
        with own_server.standby() as standby:
            url = standby.conninfo
            with connect(url) as there:
                until(lambda: len(read_events(there, None, 9)) == 1)
                there.execute("SELECT pg_wal_replay_pause()")
                conn.execute("SELECT renewer.purchase('m0', 1, 'first')")
                until(lambda: tick(conn))
                ahead = read_events(conn, None, 9)[-1][0]
                assert read_events(there, ahead, 9) == []
                there.execute("SELECT pg_wal_replay_resume()")
            conn.execute("SELECT renewer.purchase('m0', 1, 'second')")
            until(lambda: tick(conn))

            def read_on() -> list[str]:
                left = done(url, "events", "--after", ahead)
                assert left.code == 0, left.err
                return left.out.splitlines()

            until(lambda: len(read_on()) == 1)
            sealed = done(url, "seal")
            assert (sealed.code, "read-only" in sealed.err) == (3, True)


def test_a_cursor_of_what_a_failover_lost_is_refused_for_ever(
    own_server: OwnServer,
) -> None:
    """Also when the new server has ticked past it, and those ticks were thinned."""
    with connect(own_server.conninfo) as conn:
        begin(conn)
        known = read_events(conn, None, 9)[-1][0]
        with own_server.standby() as standby:
            with connect(standby.conninfo) as there:
                until(lambda: len(read_events(there, None, 9)) == 1)
            standby.stop("fast")
            conn.execute("SELECT renewer.purchase('m0', 1, 'lost')")
            until(lambda: tick(conn) == 2)
            ((lost, _),) = read_events(conn, known, 9)
            own_server.stop()
            standby.start()
            with connect(standby.conninfo) as there:
                there.execute("SELECT pg_promote()")
                for number in range(4):
                    there.execute("SELECT renewer.purchase('m0', 1, %s)", [str(number)])
                    until(lambda: tick(there))
                there.execute("DELETE FROM renewer.tick WHERE number < 5")
                with pytest.raises(UnknownCursor, match="lost what it saw"):
                    read_events(there, lost, 9)
                assert len(read_events(there, known, 9)) == 4


def test_a_ledger_restored_on_another_server_is_read_anew(
    own_server: OwnServer, empty_database: str, tmp_path: Path
) -> None:
    """
    Events, ticks and seals wait for `migrate`; then ids of events are what they were,
    new ones come behind them, and the seals of before hold.
    """
    here, moved, dump = own_server.conninfo, empty_database, tmp_path / "dump"
    with connect(here) as conn:
        tools = find_tools(conn.info.server_version // 10000)
        load_plans(conn)
        bring_in(conn, ["a,plus,2016-01-15,UTC,active,30"], "2016-02-01T00:00")
    renew(here, "2016-05-01T00:00")
    assert done(here, "seal").code == 0
    before = lines(done(here, "events").out)
    taken = [tools / "pg_dump", "-Fc", "-f", dump, "-d", here]
    subprocess.run(taken, check=True, timeout=60)
    restored = [tools / "pg_restore", "--exit-on-error", "-d", moved, dump]
    subprocess.run(restored, check=True, timeout=60)
    for command in ("events", "seal"):
        refused = done(moved, command)
        assert (refused.code, "run `renewer migrate`" in refused.err) == (2, True)
    assert done(moved, "migrate").code == 0
    after = lines(done(moved, "events").out)
    assert [each["event"] for each in after] == [each["event"] for each in before]
    refused = done(moved, "events", "--after", before[-1]["cursor"])
    assert (refused.code, "of another server" in refused.err) == (2, True)
    with connect(moved) as there:
        there.execute("SELECT renewer.spend('a', 1, 's')")
    new = lines(done(moved, "events", "--after", after[-1]["cursor"]).out)
    assert [each["event"]["data"]["reference"] for each in new] == ["s"]
    assert done(moved, "seal").code == 0
    assert done(moved, "verify", "--seals").code == 0


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
