"""D. Others who write at the same time: floods, rules that change, maintenance."""

import threading
import time

import pytest

from renewer.jobs import poster, scan
from renewer.store import batches, connection
from renewer.store.batches import purchase
from renewer.store.connection import Database, connect
from tests.faults.scene import (
    Ledger,
    arguments_of_run,
    assert_undisturbed,
    done,
    due,
    ended,
    held_lots,
    set_scene,
    started,
    until,
    waiting,
)
from tests.support import find_neighbours, renew, statement, utc, violations

RUN = arguments_of_run()


def test_d5_a_flood_of_calls_for_one_member_does_not_starve_their_renewal(
    database: str,
    conn: Database,
    expected: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty callers keep changing the member; the pass renews them all the same."""
    monkeypatch.setattr(poster, "RETRY_BUDGET_S", 3.0)
    stop, called = threading.Event(), []

    def flood(caller: int) -> None:
        with connect(database) as own:
            number = 0
            while not stop.is_set():
                number += 1
                reference = f"{caller}-{number}"
                purchase(own, "bob", 1, reference, utc("2016-03-02T00:00"))
                called.append(reference)

    callers = [threading.Thread(target=flood, args=[n]) for n in range(20)]
    for each in callers:
        each.start()
    try:
        until(lambda: len(called) > 40)
        report = renew(database, RUN[2])
    finally:
        stop.set()
        for each in callers:
            each.join(30)
    assert (report.left, report.counts.failed, due(conn)) == (0, 0, 0)
    kinds = [kind for kind, _, _ in statement(conn, "bob")]
    assert (kinds.count("purchase"), kinds.count("renewal")) == (len(called), 2)
    assert violations(conn) == []


@pytest.mark.one_server("it locks rows of all members in one statement")
def test_d6_many_whom_somebody_holds_delay_a_pass_no_longer_than_one(
    database: str, conn: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    All are held but one, who is renewed; the pass waits for the others together, and
    how often it asked for a lock does not grow with their number.
    """
    monkeypatch.setattr(poster, "RETRY_BUDGET_S", 0.6)
    monkeypatch.setattr(poster, "LOCK_WAIT_S", 0.05)
    asked = []
    lock_member = batches.lock_member

    def count(conn: Database, member_id: str, lock_timeout_s: float) -> None:
        asked.append(lock_timeout_s)
        lock_member(conn, member_id, lock_timeout_s)

    monkeypatch.setattr(batches, "lock_member", count)
    names = find_neighbours(conn, 100)
    set_scene(conn, [f"{name},plus,2016-02-19,UTC,active,9" for name in names])
    with connect(database) as other:
        other.execute("BEGIN")
        other.execute(
            "SELECT FROM renewer.member WHERE member_id <> %s FOR UPDATE", names[:1]
        )
        report = renew(database, RUN[2])
    assert (report.counts.renewed, report.counts.skipped, report.left) == (1, 99, 99)
    assert set(asked) == {poster.MIN_LOCK_WAIT_S}
    assert len(asked) < len(names) // 2
    assert renew(database, RUN[2]).counts.renewed == 99
    assert violations(conn) == []


@pytest.mark.one_server("it waits for what a server's own sessions do")
def test_d8_rules_that_change_during_a_pass_are_for_the_next(
    database: str, conn: Database, expected: Ledger
) -> None:
    """A pass goes by the rules on record at its start, for every member alike."""
    with started(database, *RUN, env={"RENEWER_BATCH_SIZE": "1"}) as process:
        with held_lots(database, "ana"), held_lots(database, "bob"):
            until(lambda: waiting(conn))
            conn.execute(
                "INSERT INTO renewer.plan "
                "(code, effective_from, allowance, rollover_cap) "
                "VALUES ('basic', '2016-03-15', 999, 0), ('plus', '2016-03-15', 888, 0)"
            )
        assert ended(process).code == 0
    assert_undisturbed(conn, expected)
    renew(database, "2016-06-15T00:00")
    assert [statement(conn, each)[-1] for each in ("ana", "bob")] == [
        ("renewal", 999, 999),
        ("renewal", 888, 888),
    ]
    assert violations(conn) == []


@pytest.mark.one_server("it waits for what a server's own sessions do")
def test_d10_maintenance_beside_a_pass_changes_nothing(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Vacuum, statistics and an index that is built again, in mid-pass."""
    with started(database, *RUN, env={"RENEWER_BATCH_SIZE": "1"}) as process:
        with held_lots(database, "ana"), held_lots(database, "bob"):
            until(lambda: waiting(conn))
            conn.execute("VACUUM (ANALYZE) renewer.member")
            conn.execute("VACUUM (ANALYZE) renewer.ledger_entry")
            other = threading.Thread(target=reindex, args=[database])
            other.start()
        assert ended(process).code == 0
        other.join(30)
    assert_undisturbed(conn, expected)


def reindex(database: str) -> None:
    with connect(database) as own:
        own.execute("REINDEX INDEX CONCURRENTLY renewer.member_due_idx")


def test_d_leases_that_others_hold_are_waited_for_and_then_done_without(
    database: str,
    conn: Database,
    expected: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Anybody may take an advisory lock: it delays a pass, and never stops it."""
    monkeypatch.setattr(scan, "LEASE_TIMEOUT_S", 0.3)
    began = time.monotonic()
    with connect(database) as other:
        other.execute(
            "SELECT pg_advisory_lock(%s, bucket) FROM generate_series(0, 63) AS bucket",
            [connection.LEASE_CLASS],
        )
        report = renew(database, RUN[2])
    assert (report.counts.renewed, report.left) == (3, 0)
    assert time.monotonic() - began > 0.3
    assert_undisturbed(conn, expected)
    assert done(database, "verify").code == 0
