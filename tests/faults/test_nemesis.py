"""
Whatever a nemesis does to passes, the ledger is right in the end.

NEMESIS_SEED repeats its choices; with --long it has ten minutes.
"""

import os
import random
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from renewer.rules.calendar import Calendar
from renewer.store.connection import Database, connect, read_clock
from tests.faults.nemesis import Answer, Clocks, Nemesis, Spender
from tests.faults.proxy import Proxy
from tests.faults.scene import LIBRARY, OwnServer
from tests.support import bring_in, load_plans, renew, utc, violations

IMPORTED = "2016-03-01T00:00"
ANCHORS = {
    f"m{n}": date(2012 + n % 4, 1 + n % 12, 1 + n * 7 % 31 % 28) for n in range(40)
}
SPENDERS = 3


@pytest.mark.timeout(900)
def test_a_nemesis_changes_no_ledger(
    own_server: OwnServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """
    After one pass in peace each boundary is renewed once and in order, and the ledger
    holds what each answered call moved, once, where the answer said, and nothing more.
    """
    seed = int(os.environ.get("NEMESIS_SEED") or random.randrange(2**32))
    print(f"NEMESIS_SEED={seed}")
    url = own_server.conninfo
    with connect(url) as conn:
        load_plans(conn)
        lines = [f"{name},plus,{day},UTC,active,30" for name, day in ANCHORS.items()]
        bring_in(conn, lines, IMPORTED)
        began, stop = read_clock(conn), threading.Event()
    clocks = None
    if LIBRARY is not None:
        clocks = Clocks(own_server.folder, LIBRARY)
    proxy = Proxy(url)
    nemesis = Nemesis(own_server, clocks, proxy, tmp_path, random.Random(seed))
    # From now on the server goes by the clock that is moved.
    own_server.stop("fast")
    nemesis.start_server()
    spenders = [
        Spender(
            f"s{number}",
            nemesis.address,
            list(ANCHORS),
            began,
            random.Random(f"{seed} {number}"),
            stop,
        )
        for number in range(SPENDERS)
    ]
    threads = [threading.Thread(target=spender.work) for spender in spenders]
    for thread in threads:
        thread.start()
    try:
        nemesis.torment(600 if request.config.getoption("--long") else 30)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        proxy.close()
    print(nemesis.told, [spender.repeated for spender in spenders])

    assert [spender.unexpected for spender in spenders] == [[]] * SPENDERS
    assert nemesis.left == []
    # 143 and -15: asked to leave while it was still starting.
    assert nemesis.codes <= {0, 1, 3, 143, -15}
    assert nemesis.complaints() == []
    with connect(url) as conn:
        judge_ledger(conn, url, began, spenders)


def judge_ledger(
    conn: Database, url: str, began: datetime, spenders: list[Spender]
) -> None:
    """Let a pass in peace finish, and compare all with what the calls were told."""
    as_of = read_clock(conn)
    report = renew(url, as_of.astimezone(UTC).replace(tzinfo=None).isoformat())
    assert (report.counts.failed, report.left) == (0, 0)
    assert violations(conn) == []
    assert find_waiting(conn) == []
    assert read_moves(conn) == {
        key: answer for spender in spenders for key, answer in spender.answers.items()
    }
    enrolled = [each for spender in spenders for each in spender.enrolled.items()]
    assert read_renewals(conn) == {
        name: expected_days(anchor_on, began, as_of, enrolled=True)
        for name, anchor_on in enrolled
    } | {
        name: expected_days(anchor_on, utc(IMPORTED), as_of, enrolled=False)
        for name, anchor_on in ANCHORS.items()
    }


def find_waiting(conn: Database) -> list[dict[str, Any]]:
    """Return the requests that were not applied."""
    return conn.execute(
        "SELECT member_id, reference FROM renewer.request WHERE applied_at IS NULL"
    ).fetchall()


def read_moves(conn: Database) -> dict[tuple[str, str], Answer]:
    """Return what each reference moved, and the place of its entries."""
    rows = conn.execute(
        "SELECT member_id, reference, sum(amount)::integer AS amount, "
        "min(seq) AS first_seq, max(seq) AS last_seq FROM renewer.ledger_entry "
        "WHERE reference IS NOT NULL GROUP BY member_id, reference"
    )
    return {
        (row["member_id"], row["reference"]): Answer(
            row["amount"], row["first_seq"], row["last_seq"]
        )
        for row in rows
    }


def read_renewals(conn: Database) -> dict[str, list[date]]:
    """Return the first days of the cycles that were renewed, in the ledger's order."""
    rows = conn.execute(
        "SELECT member_id, array_agg(first_day ORDER BY seq) AS days "
        "FROM renewer.ledger_entry WHERE kind = 'renewal' GROUP BY member_id"
    )
    return {row["member_id"]: row["days"] for row in rows}


def expected_days(
    anchor_on: date, since: datetime, as_of: datetime, *, enrolled: bool
) -> list[date]:
    """
    Return the first days of all cycles up to *as_of*.

    They begin with the cycle of *since*, which an import holds already.
    """
    first = Calendar(anchor_on, "UTC").number_at(since)
    last = Calendar(anchor_on, "UTC").number_at(as_of)
    numbers = range(first if enrolled else first + 1, last + 1)
    return [Calendar(anchor_on, "UTC").first_day(n) for n in numbers]
