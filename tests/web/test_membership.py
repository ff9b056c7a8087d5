"""A member's page and its API, on a real database."""

import csv
import html
import io
import re
from contextlib import closing

import pytest
from starlette.testclient import TestClient

from renewer.answers.member_page import walk_statement
from renewer.answers.wording import CONNECTS
from renewer.store import migrations
from renewer.store.connection import connect
from renewer.store.history import EVER
from renewer.store.members import find_members
from renewer.store.reading import SIZE, Reader
from renewer.store.revisions import find_plans
from renewer.web.links import segment, sign
from tests.support import bring_in, documents, load_plans
from tests.web.conftest import KEYS, Client, open_pages
from tests.web.test_access import later


@pytest.mark.parametrize("member_id", ["ana", "now", "held", "sus", "shut", "lost"])
def test_the_api_answers_as_explain_does(
    marketplace: str, client: Client, member_id: str
) -> None:
    """The same document of the same time; nothing else on the page."""
    told = client().get(f"/api/members/{member_id}").json()
    expected = documents(marketplace, "explain", member_id, "--as-of", told["as_of"])
    assert told | {"as_of": None} == expected | {"as_of": None}
    page = client().get(f"/members/{member_id}")
    assert page.status_code == 200
    assert TAG.sub("", told["headline"]) in page.text


TAG = re.compile(r"<[^>]*>")

BANNERS = {
    "now": [],
    "ana": [],
    "held": ["Your account is under review."],
    "sus": ["Your account is suspended."],
    "shut": ["This membership is closed."],
    "lost": ["We cannot renew you at the moment."],
}


@pytest.mark.parametrize("member_id", BANNERS)
def test_a_banner_says_what_a_state_means(client: Client, member_id: str) -> None:
    """Of each that is special, and of no other."""
    text = client().get(f"/members/{member_id}").text
    found = re.findall(r'class="banner" role="note"><strong>([^<]*)</strong>', text)
    shown = [each for each in found if not each.startswith("Your renewal")]
    assert shown == BANNERS[member_id]


def test_an_id_is_one_encoded_segment_and_is_escaped(client: Client) -> None:
    """A slash in it divides no path, and no markup of it reaches the page."""
    path = "/members/" + segment("a/b <i>ä")
    page = client().get(path)
    assert page.status_code == 200
    assert "a/b &lt;i&gt;ä" in page.text
    assert "<i>" not in page.text
    assert client().get("/api" + path).json()["member_id"] == "a/b <i>ä"
    assert client().get("/members/a/b").status_code == 404


@pytest.mark.parametrize("path", ["%ff", "%00", "a%0Ab", "x" * 65, "%E2%80", "%"])
def test_what_is_no_id_is_an_unknown_member(client: Client, path: str) -> None:
    """The answer is the same."""
    answer = client().get(f"/members/{path}")
    assert (answer.status_code, answer.text) == (
        404,
        client().get("/members/nobody").text,
    )


def test_a_statement_is_told_in_pages(marketplace: str, client: Client) -> None:
    """Each line once, the newest first, by cursors."""
    told, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"before": cursor} if cursor else {})
        page = client().get("/api/members/ana/statement", params=query).json()
        told += page["lines"]
        cursor = page["next"]
        if cursor is None:
            break
    expected = documents(marketplace, "history", "ana")["lines"]
    assert told == expected[::-1]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "before=-1", "days=٣", "before=" + "9" * 30],
)
def test_a_query_that_means_nothing_is_a_problem(client: Client, query: str) -> None:
    """A document that says what to give."""
    answer = client().get(f"/api/members/ana/statement?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert {**answer.json(), "detail": None} == {
        "type": "about:blank", "title": "Bad Request", "status": 400, "detail": None,
    }  # fmt: skip


def test_a_statement_as_csv_holds_no_formula(client: Client) -> None:
    """A reference is somebody else's text, and a spreadsheet obeys."""
    answer = client().get("/members/ana/statement.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["reference"] for row in rows if row["kind"] == "bonus"] == [
        "'=bonus <b>"
    ]
    assert rows[-1]["what"] == "Balance brought in"


def test_the_filter_of_days_leaves_out_what_is_older(client: Client) -> None:
    """Of a member imported in 2016 only today's bonus is left."""
    found = client().get("/api/members/ana/statement?days=7").json()["lines"]
    assert [line["kind"] for line in found] == ["bonus"]


def test_past_and_coming_cycles_are_told(marketplace: str, client: Client) -> None:
    """Those of `explain` and of `preview`."""
    told = client().get("/api/members/ben/cycles").json()
    explained = documents(marketplace, "explain", "ben")
    coming = documents(marketplace, "preview", "ben", "--cycles", "3")
    assert told["past_cycles"] == explained["past_cycles"]
    assert told["next_cycles"] == coming["cycles"]
    assert client().get("/api/members/lost/cycles").json()["next_cycles"] == []


def test_every_link_of_a_page_carries_the_token(closed: TestClient) -> None:
    """Who follows one stays where they may be."""
    token = sign("ana", later(), KEYS[0])
    page = closed.get("/members/ana", params={"token": token})
    links = re.findall(r'<a[^>]* href="(/[^"]*)"', page.text)
    assert len(links) > 5
    assert [each for each in links if f"token={token}" not in each] == []
    for each in links:
        path = each.replace("&amp;", "&")
        assert closed.get(path).status_code == 200


@pytest.fixture
def busy(database: str) -> str:
    """A member with 12,001 entries, one a minute; balance and lots are not theirs."""
    migrations.migrate(database, roles=True)
    with connect(database) as conn:
        load_plans(conn)
        bring_in(conn, ["ana,basic,2016-04-19,UTC,active,2"], "2016-05-01")
        conn.execute(
            "INSERT INTO renewer.ledger_entry (member_id, seq, kind, amount, "
            "balance_after, lot, occurred_at, reference) "
            "SELECT 'ana', n, 'spend', -1, 2, 1, "
            "timestamptz '2016-05-01 00:00+00' + n * interval '1 minute', 's' || n "
            "FROM generate_series(2, 12001) AS n"
        )
    return database


def test_a_statement_as_csv_is_whole_however_long(busy: str) -> None:
    """Each entry is there once, the newest first; nobody waits for a connection."""
    with open_pages(busy) as pages:
        answer = pages.get("/members/ana/statement.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(row["seq"]) for row in rows] == list(range(12_001, 0, -1))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


def test_a_slow_reader_of_a_csv_holds_no_connection(busy: str) -> None:
    """More of them than there are connections leave a page to be shown."""
    with closing(Reader(busy)) as reader, connect(busy) as conn:
        (held,) = find_members(conn, ["ana"])
        walks = [
            walk_statement(reader.snapshot, held, EVER[0], CONNECTS)
            for _ in range(SIZE + 1)
        ]
        assert [next(walk)[0].seq for walk in walks] == [12_001] * len(walks)
        with reader.snapshot() as free:
            assert find_plans(free)


BRAND = "Shop,https://shop.example,credit,credits"


@pytest.mark.parametrize("member_id", ["ana", "ben", "now", "sus", "lost"])
def test_the_word_of_the_marketplace_is_everywhere(
    client: Client, member_id: str
) -> None:
    """On the page, in the lines of the statement, in the API, the CSV and the help."""
    pages = client(web_brand=BRAND)
    for path in (
        f"/members/{member_id}",
        f"/members/{member_id}/help",
        f"/members/{member_id}/statement.csv",
        f"/api/members/{member_id}",
        f"/api/members/{member_id}/statement",
        "/help",
        "/",
    ):
        text = pages.get(path).text
        assert "Connect" not in text, path


def test_a_line_begins_with_a_capital_in_any_word(client: Client) -> None:
    """And is the view's but for the word."""
    plain, branded = (
        [
            line["what"]
            for line in pages.get("/api/members/now/statement").json()["lines"]
        ]
        for pages in (client(), client(web_brand=BRAND))
    )
    assert plain == ["Connects spent", "Connects bought", "Balance brought in"]
    assert branded == ["Credits spent", "Credits bought", "Balance brought in"]
    told = client(web_brand=BRAND).get("/api/members/ana/statement").json()["lines"]
    assert {line["what"] for line in told} == {
        "Balance brought in",
        "Bonus credits",
        "Monthly credits renewal",
        "Unused credits expired with their cycle",
    }


def test_every_note_is_told_once(client: Client) -> None:
    """Why the cycle starts that day beside the cycle, all others in their list."""
    for member_id in ("ana", "ben", "now", "held", "sus", "shut", "lost"):
        told = client().get(f"/api/members/{member_id}").json()["notes"]
        page = html.unescape(client().get(f"/members/{member_id}").text)
        assert [page.count(note["text"]) for note in told] == [1] * len(told)
        cycle = page.partition('id="cycle"')[2].partition("</section>")[0]
        assert [note["code"] for note in told if note["text"] in cycle] == [
            note["code"] for note in told if note["code"] == "start_day"
        ]
