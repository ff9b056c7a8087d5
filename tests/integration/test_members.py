"""The import as a whole: all or nothing, with every bad line named."""

import io
from typing import Any

import pytest

from renewer.jobs.importing import Imported, import_members
from renewer.rules.plans import Plans
from renewer.store.connection import Database
from renewer.store.revisions import find_plans
from tests.support import HEADER, bring_in, load_plans, statement, utc, violations

COLUMNS = tuple(HEADER.split(","))
MIXED = [
    "a,basic,2016-04-19,,,5",
    "b,gold,2016-04-19,,,",
    "a,plus,2016-04-20,,,",
    "old,basic,2016-04-19,,,",
    "c,plus,2016-04-19,Asia/Tokyo,suspended,12",
]

REASONS = [
    (3, "unknown plan 'gold': the plans are agency-plus, basic, plus"),
    (4, "has the member_id of an earlier line"),
    (5, "is a member already"),
]


@pytest.fixture
def conn(conn: Database) -> Database:
    load_plans(conn)
    bring_in(conn, ["old,basic,2016-04-19"], "2016-05-01")
    return conn


def import_lines(
    conn: Database, lines: list[str], **more: Any
) -> tuple[Imported, list[tuple[int, str]]]:
    bad: list[tuple[int, str]] = []
    file = io.BytesIO("\n".join([HEADER, *lines]).encode())
    known = Plans(find_plans(conn))
    done = import_members(
        conn,
        file,
        known,
        utc("2016-05-01"),
        on_bad=lambda line, why: bad.append((line, why)),
        **more,
    )
    return done, bad


def members_of(conn: Database) -> list[str]:
    return [
        row["member_id"]
        for row in conn.execute("SELECT member_id FROM renewer.member ORDER BY 1")
    ]


def test_one_bad_line_means_that_nothing_is_imported(conn: Database) -> None:
    """
    Every bad line is named, in the order of the file, duplicates in it and on record
    included.
    """
    assert import_lines(conn, MIXED) == (Imported(0, 3, COLUMNS), REASONS)
    assert members_of(conn) == ["old"]
    assert import_lines(conn, [MIXED[0]]) == (Imported(1, 0, COLUMNS), [])


def test_skipping_bad_lines_imports_the_rest(conn: Database) -> None:
    """
    The good lines become members with opening entries.

    The first of two that repeat a member counts.
    """
    assert import_lines(conn, MIXED, skip_bad=True) == (
        Imported(2, 3, COLUMNS),
        REASONS,
    )
    assert members_of(conn) == ["a", "c", "old"]
    assert statement(conn, "a") == [("opening", 5, 5)]
    assert statement(conn, "c") == [("opening", 12, 12)]
    assert statement(conn, "old") == []
    assert violations(conn) == []
