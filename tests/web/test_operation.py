"""The operator's pages and their API, on a real database."""

import re
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from starlette.testclient import TestClient

from renewer.answers.overview import (
    HourDue,
    HourOfPasses,
    UnruledDocument,
    chart,
    find_status,
)
from renewer.host.settings import Settings
from renewer.store.connection import connect, read_clock
from renewer.store.reading import Reader
from renewer.store.revisions import find_plans
from renewer.store.watch import take_census
from renewer.web.serving import Place, make_app
from tests.support import bring_in, documents, load_plans, renew, utc
from tests.web.conftest import Client


def test_the_overview_tells_how_the_job_is(client: Client) -> None:
    """One member fails, so that a person is needed; the cause is named."""
    told = client().get("/api/status").json()
    assert told["light"] == "failing"
    assert told["members"] == {
        "active": 5, "closed": 1, "suspended": 1, "under_review": 1,
    }  # fmt: skip
    causes = [
        (each["plan"], each["members"], each["example"]) for each in told["causes"]
    ]
    assert causes == [("gold", 1, "lost")]
    page = client().get("/")
    assert page.status_code == 200
    assert "Failing" in page.text
    assert "renewer failures retry lost" in page.text


def test_passes_are_told_in_pages_and_one_by_one(
    marketplace: str, client: Client
) -> None:
    """As `status` tells them."""
    expected = documents(marketplace, "status")["runs"]
    told = client().get("/api/runs?limit=1").json()
    assert told == {"items": expected[:1], "next": None}
    number = expected[0]["run_id"]
    assert client().get(f"/api/runs/{number}").json() == expected[0]
    assert f"Pass {number}" in client().get(f"/runs/{number}").text


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "9" * 30, "%31x", "٣"])
def test_a_pass_that_never_was_is_not_found(client: Client, number: str) -> None:
    """As is what is no number."""
    assert client().get(f"/runs/{number}").status_code == 404
    assert client().get(f"/api/runs/{number}").status_code == 404


def test_a_search_leads_to_the_member(client: Client) -> None:
    """Whatever the id holds."""
    answer = client().get("/", params={"member": "a/b <i>ä"})
    assert answer.headers["location"] == "/members/a%2Fb%20%3Ci%3E%C3%A4"


def test_the_plans_on_record_are_told(client: Client) -> None:
    """With their rules."""
    told = client().get("/api/plans").json()["items"]
    assert {each["code"]: each["rollover_cap"] for each in told} == {
        "basic": 0,
        "plus": 140,
        "agency-plus": 160,
    }


def test_a_page_reads_as_a_role_that_cannot_write(reader: Reader) -> None:
    """Read-only twice: by the transaction and by the role."""
    with reader.snapshot() as conn:
        row = conn.execute(
            "SELECT current_user AS who, "
            "current_setting('transaction_isolation') AS isolation"
        ).fetchone()
        assert row == {"who": "renewer_read", "isolation": "repeatable read"}
        assert find_plans(conn)
    with (
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        reader.snapshot() as conn,
    ):
        conn.execute("CREATE TEMPORARY TABLE t (x integer)")


def test_no_member_is_scanned_for_the_overview(
    marketplace: str, reader: Reader
) -> None:
    """Counts come from what is kept: the table is never read from end to end."""
    with reader.snapshot() as conn:
        conn.execute("SELECT set_config('enable_seqscan', 'off', true)")
        find_status(conn, read_clock(conn))
        row = conn.execute(
            "SELECT seq_scan FROM pg_stat_xact_user_tables "
            "WHERE schemaname = 'renewer' AND relname IN ('member', 'ledger_entry') "
            "ORDER BY relname"
        ).fetchall()
    assert row == [{"seq_scan": 0}, {"seq_scan": 0}]


def test_a_database_that_is_away_is_said_and_shows_no_numbers(client: Client) -> None:
    """503, on the pages and as a problem; it is not mistaken for an empty account."""
    gone = "host=127.0.0.1 port=1 dbname=x connect_timeout=1"
    with closing(Reader(gone, patience_s=0.3)) as away:
        app = make_app(away, Settings.model_validate({}), Place("127.0.0.1", 8465))
        browser = TestClient(app, base_url="http://localhost")
        page = browser.get("/members/ana")
        assert page.status_code == 503
        assert not re.search(r"\d", re.sub(r"<[^>]*>", "", page.text).split("Skip")[1])
        told = browser.get("/api/members/ana")
        assert (told.status_code, told.json()["status"]) == (503, 503)
        assert told.headers["content-type"] == "application/problem+json"


def test_who_fails_next_for_want_of_a_rule_is_named(database: str) -> None:
    """The first boundary first; a closed membership has none."""
    with connect(database) as conn:
        load_plans(conn)
        lines = [
            "late,basic,2016-04-25,UTC,active,1",
            "soon,basic,2016-04-10,UTC,active,1",
            "held,basic,2016-04-20,UTC,under_review,1",
            "shut,basic,2016-04-10,UTC,closed,1",
            "good,basic,2016-04-10,UTC,active,1",
        ]
        bring_in(conn, lines, "2016-05-01")
        conn.execute(
            "UPDATE renewer.member SET plan = 'gold' WHERE member_id <> 'good'"
        )
        now = utc("2016-05-02T12:00")
        assert take_census(conn, timedelta(0), now)
        found = find_status(conn, now)
    assert found.without_rule == 3
    assert [each.member_id for each in found.first_without_rule] == [
        "soon",
        "held",
        "late",
    ]
    first = UnruledDocument("soon", "gold", utc("2016-05-10T00:00"))
    assert found.first_without_rule[0] == first


def test_a_census_names_no_more_members_than_a_page_shows(database: str) -> None:
    """The first twenty, of however many."""
    with connect(database) as conn:
        load_plans(conn)
        lines = [f"m{n},basic,2016-04-{n:02},UTC,active,1" for n in range(2, 28)]
        bring_in(conn, lines, "2016-05-01")
        conn.execute("UPDATE renewer.member SET plan = 'gold'")
        now = utc("2016-05-01T12:00")
        assert take_census(conn, timedelta(0), now)
        found = find_status(conn, now)
    assert found.without_rule == 26
    named = [each.member_id for each in found.first_without_rule]
    assert named == [f"m{n}" for n in range(2, 22)]


def test_announced_passes_are_summed(database: str) -> None:
    """In the list they are one line, in the chart of 48 hours they count."""
    with connect(database) as conn:
        load_plans(conn)
        lines = [f"m{n},basic,2016-04-10,UTC,active,1" for n in range(4)]
        bring_in(conn, lines, "2016-05-01")
    for member_id in ("m0", "m1"):
        renew(database, "2016-05-11", members=[member_id], trigger="announced")
    renew(database, "2016-05-11")
    with connect(database) as conn:
        found = find_status(conn, read_clock(conn))
    assert [(run.trigger, run.renewed) for run in found.runs] == [("manual", 2)]
    told = found.announced
    assert (told.passes, told.due, told.renewed) == (2, 2, 2)
    hours = found.passes_by_hour
    assert len(hours) == 48
    assert sum(each.passes for each in hours) == 3
    assert sum(each.announced for each in hours) == 2
    assert sum(each.renewed for each in hours) == 4


def test_the_bars_of_a_chart_are_parts_of_the_highest() -> None:
    """What failed stands on what was renewed; nothing at all draws nothing."""
    at = utc("2016-05-10T00:00")
    hours = [
        HourOfPasses(at, 1, 0, renewed, failed)
        for renewed, failed in ((30, 10), (10, 0), (0, 0))
    ]
    bars = chart(hours, "renewed", "failed")
    assert [heights for _, heights in bars] == [[75, 25], [25, 0], [0, 0]]
    assert chart([HourDue(at, 0)], "members") == [(HourDue(at, 0), [0])]
