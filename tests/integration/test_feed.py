"""The ledger as a feed: events, cursors, what is coming, seals."""

import re
import threading
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from renewer.answers.expiring import find_notices
from renewer.answers.health import find_health
from renewer.answers.seals import Chain
from renewer.errors import UnknownCursor
from renewer.jobs.sealing import seal_ledger
from renewer.store import migrations
from renewer.store.connection import Database, connect, read_clock
from renewer.store.feed import (
    Seal,
    find_holder,
    find_last_seal,
    find_unsealed,
    may_tick,
    read_events,
    read_installation,
    record_seal,
    seal_batch,
    tick,
)
from renewer.store.watch import prune
from renewer.worker.duties import Duties
from tests.support import bring_in, load_plans, renew, repair, utc

pytestmark = pytest.mark.one_server("over several nodes there is no feed")

Event = dict[str, Any]


@pytest.fixture
def fed(database: str, conn: Database) -> Database:
    """Two members of before the first tick: one loses what is unused, one carries."""
    migrations.migrate(database, roles=True)
    load_plans(conn)
    lines = ["a,basic,2016-04-19,UTC,active,2", "b,plus,2016-04-30,Asia/Tokyo,active,9"]
    bring_in(conn, lines, "2016-05-01")
    return conn


def cut(conn: Database) -> int | None:
    """Tick, as if a second had gone by since the last tick."""
    conn.execute("UPDATE renewer.tick SET ticked_at = ticked_at - interval '2 seconds'")
    return tick(conn)


def read(
    conn: Database, after: str | None = None, limit: int = 1000
) -> list[tuple[str, Event]]:
    return read_events(conn, after, limit)


def told(rows: list[tuple[str, Event]]) -> list[tuple[Any, ...]]:
    """Return whose entries an event is of, its type, amount and balance."""
    return [
        (
            event["subject"],
            event["data"]["first_seq"],
            event["data"]["last_seq"],
            event["type"].removeprefix("connects."),
            event["data"]["amount"],
            event["data"]["balance"],
        )
        for _, event in rows
    ]


def test_a_boundary_is_one_event_with_all_that_it_did(
    database: str, fed: Database
) -> None:
    """A CloudEvent; its id is the member and the first entry."""
    renew(database, "2016-06-01T00:00")
    assert cut(fed) == 1
    rows = read(fed)
    assert told(rows) == [
        ("a", 1, 1, "imported", 2, 2),
        ("a", 2, 3, "cycle.renewed", 58, 60),
        ("b", 1, 1, "imported", 9, 9),
        ("b", 2, 4, "cycle.renewed", 70, 79),
    ]
    installation = read_installation(fed)
    assert rows[3][1] == {
        "specversion": "1.0",
        "id": "b:2",
        "source": f"urn:uuid:{installation}",
        "type": "connects.cycle.renewed",
        "subject": "b",
        "time": "2016-05-29T15:00:00.000000Z",
        "datacontenttype": "application/json",
        "data": {
            "first_seq": 2,
            "last_seq": 4,
            "kind": "renewal",
            "amount": 70,
            "balance": 79,
            "reference": None,
            "reason": None,
            "plan": "plus",
            "renewed": 70,
            "carried": 9,
            "expired": 0,
            "first_day": "2016-05-30",
            "last_day": "2016-06-29",
        },
    }
    assert rows[1][1]["data"]["expired"] == 2


def test_every_kind_of_posting_has_its_type(database: str, fed: Database) -> None:
    """Two calls of one transaction are two events: their references differ."""
    fed.execute(
        "SELECT renewer.enroll('c', 'basic', current_date, 'UTC', 'active', 'e')"
    )
    renew(database, "2016-05-20T00:00")
    with fed.transaction():
        fed.execute("SELECT renewer.purchase('a', 40, 'p')")
        fed.execute("SELECT renewer.spend('a', 70, 's')")
        fed.execute("SELECT renewer.refund('a', 's', 'r')")
    fed.execute("SELECT renewer.grant_bonus('a', 5, 'g')")
    cut(fed)
    assert told(read(fed))[1:6] == [
        ("a", 2, 3, "cycle.renewed", 58, 60),
        ("a", 4, 4, "purchased", 40, 100),
        ("a", 5, 6, "spent", -70, 30),
        ("a", 7, 8, "refunded", 70, 100),
        ("a", 9, 9, "bonus_granted", 5, 105),
    ]


def test_late_renewals_suspensions_and_lapses_have_their_reasons(
    database: str, fed: Database
) -> None:
    """Also a renewal of 0."""
    fed.execute("UPDATE renewer.member SET status = 'suspended' WHERE member_id = 'a'")
    renew(database, "2016-05-20T00:00")
    fed.execute("UPDATE renewer.member SET status = 'active' WHERE member_id = 'a'")
    repair(database, "2016-05-21T00:00", members=["a"], reason="our mistake")
    cut(fed)
    events = [event for _, event in read(fed) if event["subject"] == "a"]
    assert [
        (event["type"], event["data"]["reason"], event["data"]["renewed"])
        for event in events[1:]
    ] == [
        ("connects.cycle.renewed", "suspended", 0),
        ("connects.cycle.renewed_late", "our mistake", 60),
    ]


def test_a_cursor_goes_on_behind_its_event_in_pages_of_any_size(
    database: str, fed: Database
) -> None:
    """Each event comes once, whichever ticks lie between, thinned ones included."""
    renew(database, "2016-05-25T00:00")
    cut(fed)
    renew(database, "2016-09-01T00:00")
    cut(fed)
    fed.execute("SELECT renewer.spend('a', 3, 's')")
    cut(fed)
    every = read(fed)
    assert len(every) == 11
    for size in (1, 2, 3, 7):
        after, paged = None, []
        while page := read(fed, after, size):
            assert len(page) <= size
            paged += page
            after = page[-1][0]
        assert [event for _, event in paged] == [event for _, event in every]
    first = read(fed, None, 4)[-1][0]
    rest = [event for _, event in read(fed, first)]
    fed.execute("DELETE FROM renewer.tick WHERE number = 2")
    thinned = [event for _, event in read(fed, first)]
    assert sorted(map(str, thinned)) == sorted(map(str, rest))


def test_an_event_of_many_entries_is_whole(database: str, fed: Database) -> None:
    """Hundreds of lots that end on one day are one event, on a page of one too."""
    for n in range(90):
        fed.execute("SELECT renewer.grant_bonus('a', 1, %s, '2100-01-01Z')", [f"g{n}"])
    cut(fed)
    last = read(fed)[-1][0]
    fed.execute(
        "UPDATE renewer.lot SET expires_at = '2016-05-02Z' WHERE source = 'bonus'"
    )
    fed.execute("UPDATE renewer.member SET lapses_at = '2016-05-02Z'")
    fed.execute(
        "UPDATE renewer.lot SET issued_at = '2016-05-01Z' WHERE source = 'bonus'"
    )
    renew(database, "2016-05-03T00:00")
    cut(fed)
    assert told(read(fed, last, 1)) == [("a", 92, 181, "expired", -90, 2)]


def flood(conn: Database) -> None:
    """Post 100,100 entries of member a in one transaction, 1,000 to a reference."""
    conn.execute(
        "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, "
        "balance_after, lot, reference, occurred_at) "
        "SELECT 'a', 1 + n, 'bonus', 1, 2 + n, 1, 'r' || n / 1000, "
        "timestamptz '2016-05-02Z' FROM generate_series(1, 100100) AS n"
    )


def test_a_large_batch_is_read_by_key_and_is_only_itself(fed: Database) -> None:
    """In pages of any size, without what was read before."""
    cut(fed)
    last = read(fed)[-1][0]
    flood(fed)
    fed.execute("SELECT renewer.spend('b', 1, 's')")
    cut(fed)
    for size in (60, 1000):
        after, paged = last, []
        while page := read(fed, after, size):
            paged += page
            after = page[-1][0]
        entries = [
            (event["subject"], event["data"]["first_seq"], event["data"]["last_seq"])
            for _, event in paged
        ]
        assert entries == [
            ("a", 2, 1000),
            *(("a", 1000 * n + 1, 1000 * n + 1000) for n in range(1, 100)),
            ("a", 100001, 100101),
            ("b", 2, 2),
        ]


def test_what_commits_late_is_in_a_later_batch(database: str, fed: Database) -> None:
    """Neither lost nor waited for, a subtransaction included."""
    cut(fed)
    last = read(fed)[-1][0]
    with psycopg.connect(database) as slow:
        with slow.transaction(), slow.transaction():
            slow.execute("SELECT renewer.purchase('a', 7, 'slow')")
            fed.execute("SELECT renewer.purchase('b', 8, 'quick')")
            cut(fed)
            rows = read(fed, last)
            assert told(rows) == [("b", 2, 2, "purchased", 8, 17)]
        cut(fed)
    assert told(read(fed, rows[-1][0])) == [("a", 2, 2, "purchased", 7, 9)]


def test_a_member_is_in_order_whoever_began_first(database: str, fed: Database) -> None:
    """An old transaction that comes to a member last is not told first."""
    cut(fed)
    last = read(fed)[-1][0]
    with psycopg.connect(database) as old, psycopg.connect(database) as idle:
        old.execute("SELECT renewer.purchase('a', 1, 'old')")
        idle.execute("SELECT pg_current_xact_id()")
        fed.execute("SELECT renewer.purchase('b', 2, 'first')")
        old.execute("SELECT renewer.purchase('b', 3, 'second')")
        old.commit()
        cut(fed)
        rows = read(fed, last)
    cut(fed)
    assert told(rows + read(fed, rows[-1][0])) == [
        ("a", 2, 2, "purchased", 1, 3),
        ("b", 2, 2, "purchased", 2, 11),
        ("b", 3, 3, "purchased", 3, 14),
    ]


def test_a_tick_is_made_when_something_was_posted_once_a_second(
    database: str, fed: Database
) -> None:
    """By application and worker; a reader waits for one, and sees only what it saw."""
    assert (tick(fed), tick(fed)) == (1, None)
    assert cut(fed) is None
    fed.execute("SELECT renewer.spend('b', 1, 's')")
    assert read(fed, read(fed)[-1][0]) == []
    assert cut(fed) == 2
    fed.execute("SELECT renewer.spend('b', 1, 's2')")
    fed.execute("UPDATE renewer.tick SET ticked_at = ticked_at - interval '2 seconds'")
    with psycopg.connect(database) as ticking, ticking.transaction():
        assert ticking.execute("SELECT renewer.tick()").fetchone() == (3,)
        # Another session makes one just now: nobody waits for it.
        assert tick(fed) is None
    for role, may in (
        ("renewer_app", True),
        ("renewer_worker", True),
        ("renewer_read", False),
    ):
        fed.execute(f"SET ROLE {role}")
        assert may_tick(fed) is may
        assert len(read(fed)) == 4
        fed.execute("RESET ROLE")


def test_a_tick_is_read_committed_whatever_a_pooler_s_session_is(
    fed: Database,
) -> None:
    """A snapshot as old as its transaction is refused; ours never is."""
    fed.execute("SET default_transaction_isolation = 'serializable'")
    with pytest.raises(psycopg.DatabaseError, match="needs isolation read committed"):
        fed.execute("SELECT renewer.tick()")
    assert tick(fed) == 1


def test_a_clock_that_was_set_back_holds_up_no_reader(fed: Database) -> None:
    """The last tick is still to come by the clock: the next is made all the same."""
    cut(fed)
    fed.execute("UPDATE renewer.tick SET ticked_at = now() + interval '40 days'")
    fed.execute("SELECT renewer.spend('b', 1, 's')")
    assert tick(fed) == 2
    assert len(read(fed)) == 3
    # The clock is right again, and so is the pause.
    fed.execute("SELECT renewer.spend('b', 1, 's2')")
    assert tick(fed) is None


def test_a_database_that_is_read_only_makes_no_ticks(fed: Database) -> None:
    """What is there is read: a command that would tick does not even try."""
    assert may_tick(fed) is True
    fed.execute("SET default_transaction_read_only = on")
    assert may_tick(fed) is False


def test_who_ticks_and_leaves_the_transaction_open_is_named(
    database: str, fed: Database
) -> None:
    """Nobody else can tick meanwhile; `status --check` says whose it is."""
    renew(database, "2016-06-01T00:00")
    cut(fed)
    fed.execute("UPDATE renewer.tick SET ticked_at = ticked_at - interval '2 minutes'")
    fed.execute("SELECT renewer.spend('b', 1, 's')")
    assert find_holder(fed) is None
    with psycopg.connect(database) as other:
        other.execute("SELECT renewer.tick()")
        assert tick(fed) is None
        (problem,) = (
            each.text
            for each in find_health(fed, read_clock(fed)).problems
            if "feed" in each.text
        )
        assert problem == (
            f"the feed stands still: process {other.info.backend_pid} "
            f"({other.info.user}) ticked in a transaction it leaves open"
        )
        other.rollback()
    assert tick(fed) == 2
    assert find_holder(fed) is None


def test_a_tick_is_on_disk_whatever_the_session_is_set_to(fed: Database) -> None:
    """So that no crash takes back what a reader saw."""
    fed.execute("SET synchronous_commit = off")
    with fed.transaction():
        tick(fed)
        row = fed.execute("SHOW synchronous_commit").fetchone()
    assert row == {"synchronous_commit": "on"}


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "W10", "WzEsMl0", "é", "=" * 9, "W1tb" * 9000]
)
def test_a_cursor_that_is_none_is_refused(fed: Database, cursor: str) -> None:
    """With the way to go on."""
    with pytest.raises(UnknownCursor, match="read from the start"):
        read(fed, cursor)


def test_a_cursor_of_what_this_server_lost_is_refused(
    database: str, fed: Database
) -> None:
    """After a failover ticks of the same number are others."""
    cut(fed)
    before = read(fed)[-1][0]
    fed.execute("SELECT renewer.spend('b', 1, 's')")
    cut(fed)
    ahead = read(fed, before)[-1][0]
    fed.execute("DELETE FROM renewer.tick WHERE number = 2")
    fed.execute("UPDATE renewer.feed SET ticks = 1")
    with pytest.raises(UnknownCursor, match="ahead of this server"):
        read(fed, ahead)
    fed.execute("SELECT renewer.spend('b', 1, 's2')")
    cut(fed)
    with pytest.raises(UnknownCursor, match="ahead of this server"):
        read(fed, ahead)
    assert len(read(fed, before)) == 2


def move(conn: Database, server: int = 4711) -> None:
    """Make the ledger look as if it was restored from another server's dump."""
    conn.execute("UPDATE renewer.feed SET server = %s", [server])


def test_a_ledger_that_was_moved_is_read_anew_after_migrate(
    database: str, fed: Database
) -> None:
    """New transactions lie above those on record, whatever ids this server counts."""
    renew(database, "2016-06-01T00:00")
    cut(fed)
    rows = read(fed)
    fed.execute("UPDATE renewer.ledger_entry SET xact = xact + 4000000000")
    move(fed)
    with pytest.raises(
        UnknownCursor, match="moved to another server: run `renewer mig"
    ):
        read(fed)
    with pytest.raises(UnknownCursor, match="run `renewer migrate`"):
        tick(fed)
    migrations.migrate(database)
    assert read(fed) == []
    fed.execute("SELECT renewer.spend('b', 1, 's')")
    assert cut(fed) == 2
    with pytest.raises(UnknownCursor, match="of another server"):
        read(fed, rows[-1][0])
    again = read(fed)
    # The same ids: who has them leaves them out.
    assert [event for _, event in again[:4]] == [event for _, event in rows]
    assert told(again[4:]) == [("b", 5, 5, "spent", -1, 78)]
    fed.execute("SELECT renewer.spend('b', 1, 's2')")
    cut(fed)
    assert told(read(fed, again[-1][0])) == [("b", 6, 6, "spent", -1, 77)]
    migrations.migrate(database)
    assert len(read(fed)) == 6


@pytest.mark.parametrize("most", [0, -1, 10_001, None])
def test_a_page_has_a_size(fed: Database, most: int | None) -> None:
    """From 1 to 10,000 events."""
    with pytest.raises(psycopg.DatabaseError, match="is not from 1 to 10000") as found:
        fed.execute("SELECT renewer.events(NULL, %s)", [most])
    assert found.value.sqlstate == "RN006"


def test_old_ticks_are_thinned_and_lose_nothing(fed: Database) -> None:
    """A tick a minute after an hour, one an hour after a day; the last one stays."""
    fed.execute(
        "INSERT INTO renewer.tick SELECT n, pg_current_snapshot(), "
        "date_trunc('hour', now()) - make_interval(secs => 20 * (20000 - n)) "
        "FROM generate_series(1, 20000) AS n"
    )
    fed.execute("UPDATE renewer.feed SET ticks = 20000")
    prune(fed, 3)
    rows = fed.execute(
        "SELECT count(*) AS n, max(number) AS last, "
        "count(*) FILTER (WHERE ticked_at < now() - interval '1 day') AS old, "
        "min(ticked_at) > now() - interval '3 days 1 minute' AS kept FROM renewer.tick"
    ).fetchone()
    assert rows is not None
    assert rows["last"] == 20000
    assert (rows["old"] <= 49, 1380 <= rows["n"] <= 1800, rows["kept"]) == (True,) * 3


# What is coming


def notices(conn: Database, as_of: str, days: int) -> list[tuple[Any, ...]]:
    at = utc(as_of)
    found = list(find_notices(conn, at, at + timedelta(days=days)))
    return [
        (
            each.member_id,
            each.lot,
            each.source,
            each.amount,
            each.ends_at,
        )
        for page in found
        for each in page.items
    ]


def test_what_ends_soon_is_what_the_planner_will_cut_and_what_lapses(
    database: str, fed: Database
) -> None:
    """Bought Connects by their own end, monthly ones at the boundary, never twice."""
    fed.execute("SELECT renewer.purchase('b', 40, 'p', '2100-01-03Z')")
    fed.execute(
        "UPDATE renewer.lot SET expires_at = '2016-05-21Z' WHERE source = 'purchase'"
    )
    fed.execute(
        "UPDATE renewer.member SET lapses_at = '2016-05-21Z' WHERE member_id = 'b'"
    )
    assert notices(fed, "2016-05-14T00:00", 4) == []
    assert notices(fed, "2016-05-14T00:00", 7) == [
        ("a", 1, "allowance", 2, utc("2016-05-19T00:00")),
        ("b", 2, "purchase", 40, utc("2016-05-21T00:00")),
    ]
    # After both there is nothing left that ends: what comes in June is not held yet.
    assert notices(fed, "2016-05-22T00:00", 60) == []


def test_under_review_and_failing_only_what_has_an_end_of_its_own_ends(
    database: str, fed: Database
) -> None:
    """Their boundaries wait; a lapsed lot cannot be spent in any case."""
    fed.execute("SELECT renewer.purchase('a', 40, 'p', '2100-01-03Z')")
    fed.execute(
        "UPDATE renewer.lot SET expires_at = '2016-05-20Z' WHERE source = 'purchase'"
    )
    fed.execute(
        "UPDATE renewer.member SET lapses_at = '2016-05-20Z' WHERE member_id = 'a'"
    )
    ends = [("a", 2, "purchase", 40, utc("2016-05-20T00:00"))]
    fed.execute(
        "UPDATE renewer.member SET status = 'under_review' WHERE member_id = 'a'"
    )
    assert notices(fed, "2016-05-14T00:00", 7) == ends
    fed.execute(
        "UPDATE renewer.member SET status = 'active', plan = 'gone' "
        "WHERE member_id = 'a'"
    )
    assert notices(fed, "2016-05-14T00:00", 7) == ends
    fed.execute("UPDATE renewer.member SET status = 'closed' WHERE member_id = 'a'")
    assert notices(fed, "2016-05-14T00:00", 7) == []


def test_what_is_carried_and_then_lapses_ends_for_the_lot_it_is_in(
    fed: Database,
) -> None:
    """At its own end, not at the boundary before."""
    fed.execute(
        "UPDATE renewer.lot SET expires_at = '2016-06-02Z' WHERE member_id = 'b'"
    )
    fed.execute(
        "UPDATE renewer.member SET lapses_at = '2016-06-02Z' WHERE member_id = 'b'"
    )
    assert notices(fed, "2016-05-27T00:00", 7) == [
        ("b", 1, "allowance", 9, utc("2016-06-02T00:00"))
    ]


def test_a_notice_keeps_its_id_while_its_end_stays(fed: Database) -> None:
    """So that it is sent once, also when some of it was spent since."""

    def ids() -> list[tuple[str, int]]:
        at = utc("2016-05-14T00:00")
        pages = find_notices(fed, at, at + timedelta(days=7))
        return [(each.id, each.amount) for page in pages for each in page.items]

    before = ids()
    fed.execute("SELECT renewer.spend('a', 1, 's')")
    assert ids() == [(before[0][0], 1)]


# Seals


def breaks(conn: Database, head: str | None = None) -> list[str]:
    """Return what is not as it was sealed, without the time of the tick."""
    found = Chain(conn, head).find_breaks()
    return [re.sub(r" \(tick of [^)]* UTC\)", "", each) for each in found]


@pytest.fixture
def sealed(database: str, fed: Database) -> Database:
    """Three batches that are sealed."""
    for month in ("06", "07", "08"):
        renew(database, f"2016-{month}-01T00:00")
        cut(fed)
    done = seal_ledger(fed)
    assert (done.batches, done.entries) == (3, 18)
    return fed


def test_seals_hold_and_are_made_once(database: str, sealed: Database) -> None:
    """What is posted later is in later seals; the chain only grows."""
    assert breaks(sealed) == []
    first = find_last_seal(sealed)
    assert first is not None
    assert seal_ledger(sealed).batches == 0
    sealed.execute("SELECT renewer.spend('b', 1, 'odd (name)')")
    cut(sealed)
    assert seal_ledger(sealed).entries == 1
    assert breaks(sealed, first.head) == []


def test_the_first_seal_may_take_its_time(fed: Database) -> None:
    """It is of the whole ledger: a timeout of statements does not end it."""
    flood(fed)
    cut(fed)
    fed.execute("SET statement_timeout = '50ms'")
    assert seal_ledger(fed).entries == 100_102
    assert breaks(fed) == []


def test_settings_of_the_server_change_no_hash(database: str, sealed: Database) -> None:
    """Zone, style of dates, thinned ticks: the canonical form is the same."""
    sealed.execute("DELETE FROM renewer.tick WHERE number < 3")
    options = "-c timezone=Asia/Tokyo -c datestyle=German -c intervalstyle=iso_8601"
    with connect(make_conninfo(database, options=options)) as other:
        assert breaks(other) == []


TAMPERED = [
    ("UPDATE renewer.ledger_entry SET amount = 600 WHERE member_id = 'b' AND seq = 7",
     ["batch 2: an entry, or a seal, was changed"]),
    ("UPDATE renewer.ledger_entry SET reason = '' WHERE member_id = 'b' AND seq = 7",
     ["batch 2: an entry, or a seal, was changed"]),
    ("DELETE FROM renewer.ledger_entry WHERE member_id = 'a' AND seq = 3",
     ["batch 1: entries were added or removed: 7 were sealed, 6 are there"]),
    ("INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, balance_after, "
     "lot, occurred_at, xact) SELECT member_id, 99, 'bonus', 5, 5, 1, now(), xact "
     "FROM renewer.ledger_entry WHERE member_id = 'a' AND seq = 5",
     ["batch 2: entries were added or removed: 5 were sealed, 6 are there"]),
    ("UPDATE renewer.ledger_entry SET xact = 0 WHERE member_id = 'a' AND seq = 5",
     ["batch 1: entries were added or removed: 7 were sealed, 8 are there",
      "batch 2: entries were added or removed: 5 were sealed, 4 are there"]),
    ("UPDATE renewer.seal SET hash = sha256('x') WHERE number = 2",
     ["batch 2: an entry, or a seal, was changed",
      "batch 3: an entry, or a seal, was changed"]),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "named"), TAMPERED)
def test_whatever_the_owner_bends_is_named(
    sealed: Database, statement: str, named: list[str]
) -> None:
    """After a GRANT to themselves, which nothing else would notice."""
    sealed.execute(
        "GRANT UPDATE, DELETE ON renewer.ledger_entry, renewer.seal TO CURRENT_USER"
    )
    sealed.execute(statement)
    assert breaks(sealed) == named


def test_a_chain_that_was_made_anew_does_not_hold_the_head_that_was_kept(
    sealed: Database,
) -> None:
    """Who may do everything can seal what they bent, not what was kept elsewhere."""
    head = find_last_seal(sealed)
    assert head is not None
    sealed.execute(
        "GRANT UPDATE, DELETE ON renewer.ledger_entry, renewer.seal TO CURRENT_USER"
    )
    sealed.execute(
        "UPDATE renewer.ledger_entry SET amount = 600 WHERE member_id = 'b' AND seq = 7"
    )
    sealed.execute("DELETE FROM renewer.seal WHERE number > 1")
    assert breaks(sealed, head.head) == [
        "seal 3, whose head was kept elsewhere, is missing"
    ]
    seal_ledger(sealed)
    assert breaks(sealed) == []
    assert breaks(sealed, head.head) == [
        "batch 3 is not the head that was kept elsewhere"
    ]


def test_seals_of_a_server_before_hold_after_a_move(
    database: str, sealed: Database
) -> None:
    """Each knows whose transactions it saw."""
    move(sealed)
    migrations.migrate(database)
    assert breaks(sealed) == []
    sealed.execute("SELECT renewer.spend('b', 1, 's')")
    cut(sealed)
    assert seal_ledger(sealed).entries == 1
    assert breaks(sealed) == []


def test_a_feed_that_was_deleted_is_made_anew_by_migrate(
    database: str, sealed: Database
) -> None:
    """As after a move: it is read from the start, and seals hold and go on."""
    cursor = read(sealed)[-1][0]
    before = find_last_seal(sealed)
    assert before is not None
    sealed.execute("DELETE FROM renewer.feed")
    with pytest.raises(UnknownCursor, match="run `renewer migrate`"):
        tick(sealed)
    migrations.migrate(database)
    sealed.execute("SELECT renewer.spend('b', 1, 's')")
    assert cut(sealed) == before.mark.number + 1
    with pytest.raises(UnknownCursor, match="read from the start"):
        read(sealed, cursor)
    assert told(read(sealed))[-1][3:5] == ("spent", -1)
    assert seal_ledger(sealed).entries == 1
    assert breaks(sealed) == []


def test_a_feed_that_counts_otherwise_than_entries_is_put_right_by_migrate(
    database: str, sealed: Database
) -> None:
    """As when its row is restored of before a move; without a move nothing changes."""
    move(sealed)
    migrations.migrate(database)
    sealed.execute("UPDATE renewer.feed SET raised_by = 0")
    migrations.migrate(database)
    sealed.execute("SELECT renewer.spend('b', 1, 's')")
    cut(sealed)
    rows = read(sealed)
    assert told(rows)[-1][3:5] == ("spent", -1)
    migrations.migrate(database)
    assert read(sealed, rows[-1][0]) == []


@pytest.mark.parametrize("kept", ["true", "false"])
def test_a_feed_that_was_set_back_by_hand_goes_on_behind_what_there_was(
    sealed: Database, kept: str
) -> None:
    """Whether ticks were kept or only seals: the feed and the seals go on."""
    before = find_last_seal(sealed)
    assert before is not None
    sealed.execute("UPDATE renewer.feed SET ticks = 1")
    sealed.execute(f"DELETE FROM renewer.tick WHERE NOT {kept}".encode())
    sealed.execute("SELECT renewer.spend('b', 1, 's')")
    assert cut(sealed) == before.mark.number + 1
    assert seal_ledger(sealed).entries == 1
    assert breaks(sealed) == []


def test_a_worker_seals_once_a_day(database: str, fed: Database) -> None:
    """Up to the last tick; two of them make one chain."""
    cut(fed)
    stop = threading.Event()
    duties = [Duties(partial(connect, database), 400, stop) for _ in range(2)]
    threads = [threading.Thread(target=each.seal) for each in duties]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = find_last_seal(fed)
    assert last is not None
    assert (last.mark.number, last.entries) == (1, 2)
    assert breaks(fed) == []


def test_seals_made_at_once_go_on_from_each_other(
    database: str, sealed: Database
) -> None:
    """Whoever is overtaken records nothing, and goes on from what the other sealed."""
    before = find_last_seal(sealed)
    for call in ("s", "s2", "s3"):
        sealed.execute("SELECT renewer.spend('b', 1, %s)", [call])
        cut(sealed)
    slow = find_unsealed(sealed, before)
    assert slow is not None
    # The other one has not seen that tick: ticks are thinned meanwhile.
    sealed.execute("DELETE FROM renewer.tick WHERE number = %s", [slow.number])
    assert seal_ledger(sealed).entries == 3
    overtaken = seal_batch(sealed, before, slow)
    assert record_seal(sealed, before, overtaken) is False
    assert breaks(sealed) == []


def test_seals_recorded_at_once_are_one(database: str, sealed: Database) -> None:
    """Two go on from the same seal, to different ticks: one of them is on record."""
    before = find_last_seal(sealed)
    assert before is not None
    seals = []
    for call in ("s", "s2"):
        sealed.execute("SELECT renewer.spend('b', 1, %s)", [call])
        number = cut(sealed)
        mark = find_unsealed(sealed, before)
        assert mark is not None
        seals.append(seal_batch(sealed, before, mark))
        # Thinned meanwhile: who comes next goes from the same seal to a later tick.
        sealed.execute("DELETE FROM renewer.tick WHERE number = %s", [number])
    start = threading.Barrier(2)
    recorded = []

    def record(seal: Seal) -> None:
        with connect(database) as conn:
            start.wait(10)
            recorded.append(record_seal(conn, before, seal))

    threads = [threading.Thread(target=record, args=(each,)) for each in seals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(recorded) == [False, True]
    assert breaks(sealed) == []
