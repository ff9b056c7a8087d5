"""Who may look at a member, tried from outside."""

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient

from renewer.errors import InputError
from renewer.web.access import Guard, check_exposure
from renewer.web.gate import POLICY
from renewer.web.links import sign
from renewer.web.routes import PAGES as PAGES_THERE_ARE
from renewer.web.serving import Place
from tests.web.conftest import KEYS, TOKEN, Client

PAGES = ("/members/{}", "/api/members/{}", "/api/members/{}/statement")


def later() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=5)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(password: str) -> dict[str, str]:
    pair = base64.b64encode(f"any:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.mark.parametrize("page", PAGES)
def test_a_link_opens_its_member_and_nobody_else(closed: TestClient, page: str) -> None:
    """Signed by either key, in the query or as a bearer's token."""
    for key in KEYS:
        token = sign("ana", later(), key)
        mine, other = page.format("ana"), page.format("ben")
        assert closed.get(mine, params={"token": token}).status_code == 200
        assert closed.get(mine, headers=bearer(token)).status_code == 200
        forbidden = closed.get(other, params={"token": token})
        unknown = closed.get(page.format("nobody"), params={"token": token})
        assert (forbidden.status_code, forbidden.text) == (404, unknown.text)


def test_a_link_opens_that_members_pages_and_nothing_else(closed: TestClient) -> None:
    """Of every path there is; what it does not open is not there for its holder."""
    token = sign("ana", later(), KEYS[0])
    opened = {}
    for page in PAGES_THERE_ARE:
        path = page.path.replace("{member_id}", "ana").replace("{run_id}", "1")
        opened[path] = closed.get(path, params={"token": token}).status_code
    assert {path for path, status in opened.items() if status == 200} == {
        "/members/ana",
        "/members/ana/help",
        "/members/ana/statement.csv",
        "/api/members/ana",
        "/api/members/ana/statement",
        "/api/members/ana/cycles",
    }
    assert set(opened.values()) == {200, 404}


def test_the_rules_are_read_under_the_members_own_address(closed: TestClient) -> None:
    """The help of the operator and of the member is the same; links lead back."""
    token = sign("ana", later(), KEYS[0])
    theirs = closed.get("/members/ana/help", params={"token": token}).text
    operators = closed.get("/help", headers=bearer(TOKEN)).text
    assert _main(theirs) == _main(operators)
    assert f'href="/members/ana?token={token}"' in theirs
    assert 'href="/help' not in theirs


def _main(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def _claims(**changed: Any) -> dict[str, Any]:
    whole = {"aud": "renewer", "sub": "ana", "exp": later()} | changed
    return {name: value for name, value in whole.items() if value is not None}


FORGED = {
    "another key": jwt.encode(_claims(), "x" * 40, algorithm="HS256"),
    "another audience": jwt.encode(_claims(aud="shop"), KEYS[0], algorithm="HS256"),
    "no audience": jwt.encode(_claims(aud=None), KEYS[0], algorithm="HS256"),
    "no end": jwt.encode(_claims(exp=None), KEYS[0], algorithm="HS256"),
    "over": jwt.encode(
        _claims(exp=datetime.now(UTC) - timedelta(seconds=2)),
        KEYS[0],
        algorithm="HS256",
    ),
    "nobody": jwt.encode(_claims(sub=None), KEYS[0], algorithm="HS256"),
    "not signed": jwt.encode(_claims(), None, algorithm="none"),
    "another algorithm": jwt.encode(_claims(), "x" * 64, algorithm="HS512"),
    "no token": "ana",
    "too long": "a" * 5000,
    "no text": "ä\x00",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_forged_link_opens_nothing(closed: TestClient, token: str) -> None:
    """The answer is that of no credential at all."""
    forged = closed.get("/members/ana", params={"token": token})
    assert (forged.status_code, forged.text) == (401, closed.get("/members/ana").text)


def test_the_operators_token_opens_everything(closed: TestClient) -> None:
    """As the password of HTTP Basic or as a bearer's token."""
    for headers in (basic(TOKEN), bearer(TOKEN)):
        assert closed.get("/members/ana", headers=headers).status_code == 200
        assert closed.get("/members/nobody", headers=headers).status_code == 404
    for headers in (basic(TOKEN[:-1]), bearer(TOKEN + "x"), basic(""), bearer("")):
        assert closed.get("/members/ana", headers=headers).status_code == 401
    odd = ("~~~", TOKEN, "", "/w==", "\xff")
    for header in (
        "",
        "Basic",
        *(f"{scheme} {each}" for scheme in ("Basic", "Bearer x") for each in odd),
    ):
        answer = closed.get(
            "/members/ana", headers={"Authorization": header.encode("latin-1")}
        )
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "[", ""],
)
def test_another_host_is_refused(client: Client, host: str) -> None:
    """A page of another site that points its name to this machine reads nothing."""
    answer = client().get("/members/ana", headers={"Host": host})
    assert (answer.status_code, "ana" in answer.text) == (421, False)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8465", "127.0.0.1:8465", "LOCALHOST", "pay.example"],
)
def test_our_own_hosts_are_answered(client: Client, host: str) -> None:
    """The bound address, localhost, and that of RENEWER_WEB_URL."""
    ours = client(web_url="https://pay.example/p", web_token=TOKEN)
    headers = {"Host": host} | bearer(TOKEN)
    assert ours.get("/members/ana", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/members/ana", "/members/nobody", "/x", "/static/style.css", "/api/members/ana"],
)
def test_every_answer_has_the_headers_that_keep_it_safe(
    client: Client, path: str
) -> None:
    """Nothing is loaded from elsewhere, framed, guessed, told on or kept."""
    given = client().get(path).headers
    assert {name: given[name] for name in SAFE} == SAFE


SAFE = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def test_no_page_has_an_inline_style_or_script(client: Client) -> None:
    """The policy would not let it work."""
    text = client().get("/members/ana").text
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)|javascript:", text)


def test_only_failed_look_ups_are_limited(closed: TestClient) -> None:
    """Thirty a minute; links and the operator's token go on working."""
    token = sign("ana", later(), KEYS[0])
    found = [closed.get("/members/ana").status_code for _ in range(32)]
    assert found == [401] * 30 + [429] * 2
    forbidden = closed.get("/api/members/ben", params={"token": token})
    assert forbidden.status_code == 429
    assert 1 <= int(forbidden.headers["retry-after"]) <= 60
    assert closed.get("/members/ana", params={"token": token}).status_code == 200
    missing = closed.get("/members/nobody", headers=bearer(TOKEN))
    assert missing.status_code == 404


def test_static_files_need_no_credential(closed: TestClient) -> None:
    """And nothing else is found beside them."""
    assert closed.get("/static/style.css").status_code == 200
    assert closed.get("/static/..%2f..%2fsite.py").status_code == 404
    assert closed.get("/static/%2e%2e/site.py").status_code == 404


def test_nothing_is_written_by_any_method(closed: TestClient) -> None:
    """Only GET and HEAD are answered."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = closed.request(method, "/members/ana", headers=bearer(TOKEN))
        assert answer.status_code == 405


@pytest.mark.parametrize(
    ("host", "url"),
    [("192.0.2.1", "http://127.0.0.1:8465"), ("127.0.0.1", "https://pay.example")],
)
def test_pages_without_a_credential_stay_on_this_machine(host: str, url: str) -> None:
    """Neither bound beyond it nor named so that a proxy shows them."""
    with pytest.raises(InputError, match="RENEWER_WEB_TOKEN"):
        check_exposure(host, url, Guard(None, []))
    check_exposure(host, url, Guard(TOKEN, []))
    check_exposure("::1", "http://localhost:1", Guard(None, []))


def test_a_prefix_is_in_every_link_whether_or_not_the_proxy_takes_it_away(
    client: Client,
) -> None:
    """`--root-path`."""
    under = client(Place("127.0.0.1", 8465, "/connects"))
    whole, taken = under.get("/connects/members/ana"), under.get("/members/ana")
    assert (whole.status_code, taken.status_code) == (200, 200)
    links = re.findall(r'(?:href|src|action)="(/[^"]*)"', whole.text)
    assert links
    assert [each for each in links if not each.startswith("/connects/")] == []
    assert under.get("/connects/static/style.css").status_code == 200
