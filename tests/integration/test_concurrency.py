"""
Many threads move Connects while passes run.

Afterwards every ledger is that of a serial replay. Long with --long.
"""

import random
import threading
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

import psycopg
import pytest

from renewer.store.connection import Database, connect
from tests.faults.scene import until
from tests.support import (
    Marketplace,
    bring_in,
    load_plans,
    renew,
    repair,
    utc,
    violations,
)

MEMBERS = [f"m{n}" for n in range(8)]
PLANS = ("basic", "plus", "agency-plus")
EXPECTED = {
    "RN002",
    "RN004",
    "RN006",
}  # not enough, all returned, nothing spent yet: what callers run into


class Clock:
    """The marketplace's time: days go by while the test runs."""

    def __init__(self) -> None:
        self.now = utc("2016-04-01T00:00")

    def advance(self) -> datetime:
        self.now += timedelta(hours=17)
        return self.now


def shop(
    database: str, clock: Clock, seed: int, stop: threading.Event, refused: list[str]
) -> None:
    """
    Spend, return, buy and change plans at random, as one connection of the application.
    """
    chance = random.Random(seed)
    number = 0
    spends: list[tuple[str, str]] = []
    with connect(database) as conn:
        market = Marketplace(conn)
        while not stop.is_set():
            number += 1
            member, reference = chance.choice(MEMBERS), f"{seed}-{number}"
            known = {"member_id": member, "reference": reference, "at": clock.now}
            try:
                match chance.randrange(12):
                    case 0:
                        market.call("purchase", amount=chance.randint(1, 9), **known)
                    case 1:
                        ends_at = clock.now + timedelta(days=chance.randint(1, 20))
                        market.call(
                            "grant_bonus",
                            amount=chance.randint(1, 9),
                            expires_at=ends_at,
                            **known,
                        )
                    case 2:
                        effective = chance.choice(("now", "next_cycle"))
                        market.call(
                            "change_plan",
                            plan=chance.choice(PLANS),
                            effective=effective,
                            **known,
                        )
                    case 3:
                        market.call(
                            "set_status",
                            status=chance.choice(("active", "active", "suspended")),
                            **known,
                        )
                    case 4 | 5 | 6 if spends:
                        whose, spent = chance.choice(spends)
                        market.call(
                            "refund",
                            **known | {"member_id": whose},
                            spend_reference=spent,
                        )
                    case _:
                        market.call("spend", amount=chance.randint(1, 12), **known)
                        spends.append((member, reference))
            except psycopg.Error as error:
                refused.append(error.sqlstate or type(error).__name__)


def run_passes(
    database: str, clock: Clock, stop: threading.Event, outcomes: list[Any]
) -> None:
    while not stop.is_set():
        outcomes.append(
            renew(database, clock.advance().isoformat()[:19], batch_size=3).counts
        )


def test_what_many_do_at_once_is_what_they_did_in_some_order(
    database: str, conn: Database, request: pytest.FixtureRequest
) -> None:
    """
    No deadlock, no lost spend, a clean ledger, and each member's equals a replay of
    what committed, one by one.
    """
    load_plans(conn)
    lines = [
        f"{m},{PLANS[i % 3]},2016-03-{1 + i * 3:02},UTC,active,40"
        for i, m in enumerate(MEMBERS)
    ]
    bring_in(conn, lines, "2016-04-01")
    clock, stop, refused, outcomes = (
        Clock(),
        threading.Event(),
        list[str](),
        list[Any](),
    )
    threads = [
        threading.Thread(target=shop, args=(database, clock, seed, stop, refused))
        for seed in range(4)
    ]
    threads += [
        threading.Thread(target=run_passes, args=(database, clock, stop, outcomes))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    time.sleep(30 if request.config.getoption("--long") else 4)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(refused) <= EXPECTED
    assert all(counts.failed == 0 for counts in outcomes)
    renew(database, clock.advance().isoformat()[:19])
    assert violations(conn) == []
    assert len(set(postings(conn, MEMBERS[0]))) > 20
    for member in MEMBERS:
        replay(database, conn, member)
        assert postings(conn, f"again-{member}") == postings(conn, member)


def run_backfills(
    database: str, clock: Clock, stop: threading.Event, outcomes: list[Any]
) -> None:
    while not stop.is_set():
        ever = (date(2016, 1, 1), date(2100, 1, 1))
        outcomes.append(
            repair(
                database, clock.advance().isoformat()[:19], *ever, members=MEMBERS
            ).counts
        )


def test_backfills_beside_everything_else_leave_a_clean_ledger(
    database: str, conn: Database, request: pytest.FixtureRequest
) -> None:
    """
    Two at once, for members who are suspended and active again, spend, return and
    change plans meanwhile.
    """
    load_plans(conn)
    lines = [
        f"{m},{PLANS[i % 3]},2016-03-{1 + i * 3:02},UTC,active,40"
        for i, m in enumerate(MEMBERS)
    ]
    bring_in(conn, lines, "2016-04-01")
    clock, stop, refused, outcomes = (
        Clock(),
        threading.Event(),
        list[str](),
        list[Any](),
    )
    threads = [
        threading.Thread(target=shop, args=(database, clock, seed, stop, refused))
        for seed in range(3)
    ]
    threads += [
        threading.Thread(target=run_backfills, args=(database, clock, stop, outcomes))
        for _ in range(2)
    ]
    threads += [
        threading.Thread(target=run_passes, args=(database, clock, stop, outcomes))
    ]
    for thread in threads:
        thread.start()
    time.sleep(30 if request.config.getoption("--long") else 4)
    # It is put to the test on a slow machine, too.
    until(lambda: any(counts.late for counts in outcomes))
    stop.set()
    for thread in threads:
        thread.join()
    assert set(refused) <= EXPECTED
    assert all(counts.failed == 0 for counts in outcomes)
    renew(database, clock.advance().isoformat()[:19])
    assert violations(conn) == []


def postings(conn: Database, member: str) -> list[tuple[Any, ...]]:
    rows = conn.execute(
        """
        SELECT seq, kind, amount, balance_after, lot, first_day, anchor_on, cycle_n,
               plan, reason, reference, occurred_at
        FROM renewer.ledger_entry WHERE member_id = %s ORDER BY seq
        """,
        [member],
    )
    return [tuple(row.values()) for row in rows]


def replay(database: str, conn: Database, member: str) -> None:
    """
    Do again, alone and in the order it committed, what was done to *member*, to a
    member of another name.
    """
    again = f"again-{member}"
    number = MEMBERS.index(member)
    bring_in(
        conn,
        [f"{again},{PLANS[number % 3]},2016-03-{1 + number * 3:02},UTC,active,40"],
        "2016-04-01",
    )
    requests = conn.execute(
        "SELECT * FROM renewer.request WHERE member_id = %s ORDER BY number", [member]
    ).fetchall()
    for step in in_order(conn, member, requests):
        step(database, conn, again)


Step = Callable[[str, Database, str], None]


def in_order(conn: Database, member: str, requests: list[dict[str, Any]]) -> list[Step]:
    """
    Return the steps that led to a member's ledger: calls where their entries stand,
    passes where theirs do.

    A pass that only applied requests has no entries: by its time it comes before the
    next that has.
    """
    calls = {
        each["first_seq"]: each
        for each in requests
        if each["run_id"] is None and each["first_seq"]
    }
    applied = {
        (at, run_id): list(group)
        for (at, run_id), group in groupby(
            sorted(
                (each for each in requests if each["run_id"] is not None),
                key=when_applied,
            ),
            key=when_applied,
        )
    }
    entries = conn.execute(
        "SELECT seq, run_id, posted_at FROM renewer.ledger_entry "
        "WHERE member_id = %s AND seq > 1 ORDER BY seq",
        [member],
    ).fetchall()
    as_of = {
        row["run_id"]: row["as_of"]
        for row in conn.execute("SELECT run_id, as_of FROM renewer.run")
    }
    steps: list[Step] = []
    for (posted_at, run_id), group in groupby(
        entries, key=lambda entry: (entry["posted_at"], entry["run_id"])
    ):
        if run_id is None:
            steps += [
                repeat(calls[entry["seq"]]) for entry in group if entry["seq"] in calls
            ]
            continue
        for key in sorted(key for key in applied if key <= (posted_at, run_id)):
            steps += [repeat(each) for each in applied.pop(key)]
            steps += [run(as_of[key[1]])]
        steps += [run(as_of[run_id])]
    return steps


def when_applied(request: dict[str, Any]) -> tuple[datetime, int]:
    return request["applied_at"], request["run_id"]


def repeat(request: dict[str, Any]) -> Step:
    def step(_: str, conn: Database, again: str) -> None:
        Marketplace(conn).call(
            request["kind"],
            **request["content"],
            member_id=again,
            reference=request["reference"],
            at=request["at"],
        )

    return step


def run(as_of: datetime) -> Step:
    def step(database: str, _: Database, again: str) -> None:
        renew(database, as_of.replace(tzinfo=None).isoformat(), members=[again])

    return step
