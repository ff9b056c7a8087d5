"""The feed and what is coming over HTTP, on a real database."""

import json
import threading

import pytest
from starlette.testclient import TestClient

from renewer.store.connection import connect
from renewer.store.feed import read_events, tick
from tests.web.conftest import KEYS, TOKEN, Client

LINES = {"Accept": "application/x-ndjson"}


@pytest.fixture(autouse=True)
def ticked(marketplace: str) -> None:
    """Readers of the pages may not tick: the application does."""
    with connect(marketplace) as conn:
        tick(conn)


def test_events_come_in_pages(marketplace: str, client: Client) -> None:
    """The same as SQL tells, and a cursor to go on with."""
    with connect(marketplace) as conn:
        expected = [
            {"cursor": cursor, "event": event}
            for cursor, event in read_events(conn, None, 1000)
        ]
    first = client().get("/api/events?limit=3").json()
    assert first == {"items": expected[:3], "cursor": expected[2]["cursor"]}
    rest = client().get("/api/events", params={"after": first["cursor"]}).json()
    assert [each["event"] for each in rest["items"]] == [
        each["event"] for each in expected[3:]
    ]
    last = {"after": rest["cursor"]}
    assert client().get("/api/events", params=last).json() == {
        "items": [],
        "cursor": rest["cursor"],
    }


def test_events_come_as_lines(client: Client) -> None:
    """One JSON object each."""
    answer = client().get("/api/events?limit=4", headers=LINES)
    assert answer.headers["content-type"] == "application/x-ndjson"
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert told == client().get("/api/events?limit=4").json()["items"]


def test_lines_wait_for_what_comes_next(marketplace: str, client: Client) -> None:
    """And end without a line when nothing does."""
    cursor = client().get("/api/events?limit=10000").json()["cursor"]
    query = {"after": cursor, "wait": "1"}
    assert client().get("/api/events", params=query, headers=LINES).text == ""

    def spend() -> None:
        with connect(marketplace) as conn:
            conn.execute("SELECT renewer.grant_bonus('now', 1, 'awaited')")
            conn.execute(
                "UPDATE renewer.tick SET ticked_at = ticked_at - interval '2 seconds'"
            )
            tick(conn)

    timer = threading.Timer(1.5, spend)
    timer.start()
    query["wait"] = "30"
    told = client().get("/api/events", params=query, headers=LINES).text
    timer.join()
    assert [
        json.loads(line)["event"]["data"]["reference"] for line in told.splitlines()
    ] == ["awaited"]


def test_an_unknown_cursor_is_gone(client: Client) -> None:
    """410, with the way to go on."""
    answer = client().get("/api/events?after=nonsense")
    assert (answer.status_code, answer.json()["title"]) == (410, "Gone")
    assert "read from the start" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/api/events?after=%00", "/api/expiring?within=7d&after=a%00"]
)
def test_a_text_no_database_can_hold_is_refused(client: Client, path: str) -> None:
    """400, not a failure of ours."""
    answer = client().get(path)
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=10001", "limit=x", "wait=0", "wait=61"]
)
def test_a_number_that_is_none_is_refused(client: Client, query: str) -> None:
    """As anywhere."""
    assert client().get(f"/api/events?{query}").status_code == 400


def test_what_expires_is_told(client: Client) -> None:
    """Within a span, in one page of all members."""
    told = client().get("/api/expiring?within=60d").json()
    assert told["next"] is None
    assert {each["member_id"] for each in told["items"]} <= {"now"}
    assert client().get("/api/expiring").status_code == 400
    assert client().get("/api/expiring?within=1y").status_code == 400


def test_only_the_operator_is_told(closed: TestClient, client: Client) -> None:
    """Not whoever has a member's link."""
    from datetime import UTC, datetime, timedelta

    from renewer.web.links import sign

    link = sign("now", datetime.now(UTC) + timedelta(minutes=5), KEYS[0])
    for path in ("/api/events", "/api/expiring?within=7d"):
        assert closed.get(path).status_code == 401
        member = {"Authorization": f"Bearer {link}"}
        assert closed.get(path, headers=member).status_code == 404
        operator = {"Authorization": f"Bearer {TOKEN}"}
        assert closed.get(path, headers=operator).status_code == 200
