"""The demo's pages: a clock that is moved by buttons, and by nobody else."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from renewer.cli.simulation import Simulation
from renewer.store.connection import connect
from tests.support import ledger, statement, utc
from tests.web.conftest import Client, open_pages
from tests.web.test_access import SAFE

OURS = {"Origin": "http://localhost:8465"}


@pytest.fixture
def demo(simulation: Simulation) -> Iterator[TestClient]:
    """A browser on the demo's pages."""
    with open_pages(simulation.conninfo, simulation) as pages:
        yield pages


def posted(simulation: Simulation, member_id: str) -> list[tuple[str, int, int]]:
    with connect(simulation.conninfo) as conn:
        return statement(conn, member_id)[1:]


def test_each_button_runs_the_passes_up_to_then(
    demo: TestClient, simulation: Simulation
) -> None:
    """An hour, to the next renewal, a day; and the page tells what each posted."""
    steps = [
        ("hour", "2016-05-14T13:00", 1, {"juno": 5}),
        ("boundary", "2016-05-15T00:00", 1, {"cleo": 3, "finn": 2}),
        ("day", "2016-05-16T00:00", 24, {"lea": 2}),
        ("boundary", "2016-05-16T03:00", 1, {"eva": 2}),
    ]
    for step, now, passes, lines in steps:
        answer = demo.post(f"/demo/{step}", headers=OURS)
        assert (answer.status_code, answer.headers["location"]) == (303, "/demo")
        told = simulation.account
        assert told is not None
        assert (simulation.now, told.passes) == (utc(now), passes)
        assert {name: len(each) for name, each in told.lines.items()} == lines
        assert told.violations == 0
    page = demo.get("/demo").text
    assert "the job ran 1 pass and posted for 1 member." in " ".join(page.split())
    assert page.count('class="touched"') == 1
    assert posted(simulation, "finn") == [("expiry", -12, 0), ("renewal", 60, 60)]
    assert posted(simulation, "lea") == [("expiry", -4, 0), ("renewal", 0, 0)]


def test_a_button_leads_back_to_the_member_it_was_pressed_at(demo: TestClient) -> None:
    """And nowhere else, whatever the address says."""
    page = demo.get("/members/finn").text
    (button,) = re.findall(r'formaction="(/demo/boundary[^"]*)"', page)
    answer = demo.post(button, headers=OURS)
    assert answer.headers["location"] == "/members/finn"
    page = demo.get("/members/finn").text
    assert "Unused Connects expired with their cycle −12" in " ".join(page.split())
    for back in ("//evil.example", "https://evil.example", "nobody", ""):
        answer = demo.post("/demo/hour", params={"member": back}, headers=OURS)
        assert answer.headers["location"] == "/demo"


@pytest.mark.parametrize(
    "origin",
    [
        None, "null", "http://evil.example", "https://localhost:8465",
        "http://localhost", "http://localhost:8466", "http://127.0.0.1:8465",
        "http://localhost:8465.evil.example", "",
    ],
)  # fmt: skip
def test_another_site_moves_no_clock(
    demo: TestClient, simulation: Simulation, origin: str | None
) -> None:
    """Its page may send the form, but under its own name; nothing is written."""
    with connect(simulation.conninfo) as conn:
        before = ledger(conn)
        headers = {} if origin is None else {"Origin": origin}
        answer = demo.post("/demo/day", headers=headers)
        assert (answer.status_code, simulation.now) == (403, utc("2016-05-14T12:00"))
        assert ledger(conn) == before


def test_another_host_moves_no_clock(demo: TestClient, simulation: Simulation) -> None:
    """A name of a stranger that leads to this machine is no name of ours."""
    headers = {"Host": "evil.example:8465", "Origin": "http://evil.example:8465"}
    assert demo.post("/demo/day", headers=headers).status_code == 421
    assert simulation.now == utc("2016-05-14T12:00")


def test_only_a_button_moves_the_clock(
    demo: TestClient, simulation: Simulation
) -> None:
    """A link or a picture sends GET; a step nobody knows is not found."""
    assert demo.get("/demo/day").status_code == 405
    assert demo.post("/demo/year", headers=OURS).status_code == 404
    assert demo.post("/members/ana", headers=OURS).status_code == 405
    assert simulation.now == utc("2016-05-14T12:00")


@pytest.mark.parametrize("path", ["/demo", "/demo/hour", "/demo/day", "/demo/boundary"])
def test_outside_the_demo_there_is_no_clock_to_move(client: Client, path: str) -> None:
    """Neither the page nor the buttons nor the paths they lead to."""
    pages = client()
    assert pages.get(path).status_code == 404
    headers = {"Origin": "http://localhost"}
    assert pages.post(path, headers=headers).status_code == 404
    for each in ("/", "/members/ana"):
        assert '<form method="post"' not in pages.get(each).text


def test_the_pages_are_of_the_time_the_clock_shows(
    demo: TestClient, simulation: Simulation
) -> None:
    """A member's, the operator's and the rules; and what the job did is dated so."""
    assert demo.get("/api/members/finn").json()["status_code"] == "last_day"
    assert demo.get("/api/status").json()["light"] == "late"
    demo.post("/demo/day", headers=OURS)
    assert demo.get("/api/members/finn").json()["status_code"] == "renewed"
    told = demo.get("/api/status").json()
    assert (told["light"], told["as_of"]) == ("in order", "2016-05-15T12:00:00+00:00")
    assert len(told["runs"]) == 24
    assert {run["started_at"][:10] for run in told["runs"]} == {
        "2016-05-14",
        "2016-05-15",
    }
    assert told["census_at"] == told["as_of"]
    assert told["due_by_hour"][12] == {
        "at": "2016-05-16T00:00:00+00:00", "members": 1,
    }  # fmt: skip
    assert demo.get("/api/help").json()["as_of"] == told["as_of"]


def test_the_demo_is_as_safe_as_the_pages_elsewhere(demo: TestClient) -> None:
    """But for one header: without it a browser would not name its forms' origin."""
    given = demo.get("/demo").headers
    expected = SAFE | {"referrer-policy": "same-origin"}
    assert {name: given[name] for name in SAFE} == expected
