"""How long people and applications wait for an answer: idle, and while a pass runs."""

import socket
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from itertools import count

import psycopg

from tests.bench import growth, large
from tests.bench.commands import Command, environment
from tests.bench.server import serve
from tests.bench.tables import Plot, Table
from tests.support import ROOT

ASKED = 300
"""How often each is asked."""
PATIENCE = 20
"""How often it is asked before anything is measured, until there is an answer."""
PASS_HOURS = 20
"""How many hours' boundaries the pass beside them posts."""


def add_options(parser: ArgumentParser) -> None:
    """Say what may be asked for."""
    growth.add_options(parser)
    parser.add_argument("--asked", type=int, default=ASKED, help="times each")


def run(given: Namespace) -> None:
    """Measure pages and calls of ever other members, alone and beside a pass."""
    (size,) = given.sizes or (10_000_000,)
    table = Table(
        "answers",
        ("what", "p50 ms", "p99 ms", "p50 ms beside a pass", "p99 ms beside a pass"),
        Plot("Milliseconds to an answer", 0, (2, 4), bars=True),
    )
    with serve(given.keep) as server:
        growth.tell_place(server)
        conninfo = large.build_past(server, size, given.due)
        with pages(conninfo) as port, psycopg.connect(conninfo) as conn:
            conn.autocommit = True
            asks = make_asks(port, conn, size)
            for ask in asks.values():
                warm(ask)
            idle = measure(asks, given.asked)
            hour = large.next_hour(conninfo) + PASS_HOURS - 1
            as_of = large.hour(min(hour, size // given.due - 1)).isoformat()
            beside = Command(conninfo, "run", "--as-of", as_of)
            time.sleep(1)
            busy = measure(asks, given.asked)
            going = beside.process.poll() is None
            beside.end()
        for name, took in idle.items():
            table.rows.append((name, *took, *busy[name]))
    table.show(given.plots)
    if not going:
        print("\nThe pass ended first: ask fewer times, or have more members due.")


def make_asks(
    port: int, conn: psycopg.Connection[object], size: int
) -> dict[str, Callable[[int], None]]:
    """Return what is asked, by its name, each for a member by number."""
    link = HTTPConnection("127.0.0.1", port)

    def get(path: str) -> None:
        link.request("GET", path)
        answer = link.getresponse()
        answer.read()
        assert answer.status == 200, (path, answer.status)

    def spend(number: int) -> None:
        called = "SELECT renewer.spend(%s, 1, %s)"
        conn.execute(called, [name_of(number, size), f"bench {time.time_ns()}"])

    return {
        "`/members/ID`": lambda n: get(f"/members/{name_of(n, size)}"),
        "`/api/members/ID` (explain)": lambda n: get(
            f"/api/members/{name_of(n, size)}"
        ),
        "`…/statement` (history)": lambda n: get(
            f"/api/members/{name_of(n, size)}/statement"
        ),
        "`/`": lambda _: get("/"),
        "`/api/events?limit=100`": lambda _: get("/api/events?limit=100"),
        "`spend`": spend,
    }


def warm(ask: Callable[[int], None]) -> None:
    """Ask until there is an answer: with nothing in memory one is told to come back."""
    for _ in range(PATIENCE):
        with suppress(AssertionError):
            ask(0)
            return


def name_of(number: int, size: int) -> str:
    """Return some member: neighbours are far apart, as those who ask are."""
    return f"m{number * 7_919_003 % size:08d}"


def measure(
    asks: dict[str, Callable[[int], None]], asked: int
) -> dict[str, tuple[float, float]]:
    """Return median and 99th percentile in milliseconds; all take turns."""
    took: dict[str, list[float]] = {name: [] for name in asks}
    for number in range(asked):
        for place, (name, ask) in enumerate(asks.items()):
            began = time.perf_counter()
            ask(number * len(asks) + place)
            took[name].append((time.perf_counter() - began) * 1000)
    return {name: find_quantiles(each) for name, each in took.items()}


def find_quantiles(took: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    ranked = sorted(took)
    return ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100]


@contextmanager
def pages(conninfo: str) -> Iterator[int]:
    """Yield the port of `renewer web` on a database."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "renewer", "web", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(conninfo),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in count():
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None, "the pages do not start"
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()
