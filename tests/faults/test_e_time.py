"""E. Clocks that are wrong, zones that differ, and times no calendar holds."""

import shutil
from pathlib import Path

import psycopg
import pytest

from renewer.store.connection import Database, connect
from tests.faults.scene import (
    LIBRARY,
    Done,
    Ledger,
    OwnServer,
    arguments_of_run,
    assert_undisturbed,
    done,
    due,
    foresee,
    judge,
)
from tests.support import renew

RUN = arguments_of_run()
needs_faketime = pytest.mark.skipif(
    LIBRARY is None or shutil.which("faketime") is None,
    reason="Debian's package faketime is missing",
)


def assert_refused(left: Done) -> None:
    """It told that the clocks differ, and left with 2."""
    assert left.code == 2, left.err
    assert "set the wrong one right first" in left.last_line


@needs_faketime
@pytest.mark.parametrize("by", ["+40d", "+3650d", "-1h", "-2d"])
def test_e1_e2_a_host_whose_clock_is_wrong_renews_nobody(
    database: str, conn: Database, expected: Ledger, by: str
) -> None:
    """Ahead or behind by more than ten minutes, a pass is refused; put right, done."""
    assert_refused(done(database, *RUN, prefix=("faketime", "-f", by)))
    assert due(conn) == 3
    judge(database, conn, expected)


@needs_faketime
def test_e2_a_host_whose_clock_is_nearly_right_renews_all(
    database: str, conn: Database, expected: Ledger
) -> None:
    """Five minutes are no reason to renew nobody."""
    left = done(database, *RUN, prefix=("faketime", "-f", "+5m"))
    assert left.code == 0, left.err
    assert_undisturbed(conn, expected)


@needs_faketime
def test_e3_a_database_whose_clock_is_wrong_renews_nobody(
    own_server: OwnServer, tmp_path: Path
) -> None:
    """
    Forty days ahead or a day behind a pass is refused; put right, it is done once.
    """
    url = own_server.conninfo
    with connect(url) as conn:
        expected = foresee(url, conn)
    own_server.stop("fast")
    clock = own_server.folder / "clock"
    clock.write_text("+0d")
    clock.chmod(0o644)
    own_server.start(
        {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    )
    for by, refused in (("+40d", True), ("-1d", True), ("+0d", False)):
        clock.write_text(by)
        left = done(url, *RUN)
        if refused:
            assert_refused(left)
        else:
            assert left.code == 0, left.err
    with connect(url) as conn:
        assert_undisturbed(conn, expected)


ZONES = {
    "the database's": "ALTER DATABASE {database} SET TimeZone = 'Asia/Tokyo'",
    "the database's style": "ALTER DATABASE {database} SET DateStyle = 'SQL, DMY'",
    "the intervals' style": "ALTER DATABASE {database} SET IntervalStyle = 'iso_8601'",
}


@pytest.mark.parametrize("whose", ZONES)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati"])
def test_e6_the_zones_of_host_session_and_database_change_nothing(
    database: str, conn: Database, expected: Ledger, whose: str, zone: str
) -> None:
    """Wherever a pass runs and however the server is set, the ledger is the same."""
    conn.execute(ZONES[whose].format(database=conn.info.dbname))
    left = done(database, *RUN, env={"TZ": zone, "PGTZ": "America/Los_Angeles"})
    assert left.code == 0, left.err
    assert_undisturbed(conn, expected)


IMPOSSIBLE = {
    "end of all": "UPDATE renewer.member SET lapses_at = 'infinity' WHERE {bob}",
    "beginning of all": "UPDATE renewer.member SET lapses_at = '-infinity' WHERE {bob}",
    "before Christ": "UPDATE renewer.member SET lapses_at = '0044-03-15 BC' "
    "WHERE {bob}",
    "after 9999": "UPDATE renewer.member SET requested_at = '10000-01-01Z' WHERE {bob}",
    "a request": "INSERT INTO renewer.request "
    "(member_id, reference, number, kind, content, at, balance) "
    "VALUES ('bob', 'r', 1, 'set_status', '{{\"status\": \"active\"}}', "
    "'-infinity', 0); UPDATE renewer.member SET requested_at = '-infinity' "
    "WHERE {bob}",
}


@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_e11_a_time_no_calendar_holds_delays_nobody_else(
    database: str, conn: Database, expected: Ledger, what: str
) -> None:
    """
    Whatever a hand wrote into one member's row, the others are renewed in the same
    pass, which does not end with a server's error.
    """
    conn.execute(IMPOSSIBLE[what].format(bob="member_id = 'bob'"))
    renew(database, RUN[2])
    found = conn.execute(
        "SELECT count(*) AS n FROM renewer.member "
        "WHERE member_id <> 'bob' AND renews_at > %s",
        [RUN[2] + "Z"],
    ).fetchone()
    assert found == {"n": 2}


@pytest.mark.parametrize("day", ["infinity", "0044-03-15 BC", "20000-01-01"])
def test_e11_a_revision_of_no_day_is_told(
    database: str, conn: Database, expected: Ledger, day: str
) -> None:
    """No revision has a first day that a client cannot read."""
    with pytest.raises(psycopg.errors.CheckViolation, match="in_calendar"):
        conn.execute(
            "INSERT INTO renewer.plan (code, effective_from, allowance, rollover_cap) "
            f"VALUES ('odd', '{day}', 1, 0)"
        )
    assert renew(database, RUN[2]).counts.renewed == 3
    assert_undisturbed(conn, expected)


@pytest.mark.parametrize(
    "column", ["renews_at", "last_boundary_at", "cycle_ended_at", "anchor_on"]
)
def test_e11_a_time_no_calendar_holds_is_refused_by_the_table(
    database: str, conn: Database, expected: Ledger, column: str
) -> None:
    """Facts that are computed with have a domain: no hand can write such a value."""
    for value in ("infinity", "-infinity", "0044-03-15 BC", "20000-01-01"):
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(f"UPDATE renewer.member SET {column} = '{value}'")
    judge(database, conn, expected)
