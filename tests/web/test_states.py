"""What a member may see in every state, on paper, and behind a proxy: in a browser."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import DEVNULL

import pytest
from playwright.sync_api import Browser, Page

from renewer.answers.explanation import Code
from renewer.answers.member_page import BANNERS, PENDING
from renewer.cli.simulation import Simulation
from renewer.store.connection import connect
from renewer.web.links import sign
from renewer.web.stage import Step
from tests.e2e.test_web import serving
from tests.web.conftest import KEYS, TOKEN
from tests.web.test_access import later
from tests.web.test_browser import CHROMIUM, browser, demo_page, look, open_page

__all__ = ["browser"]

pytestmark = [
    pytest.mark.gate,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

FIRST = {
    "ana": Code.NOT_DUE,
    "finn": Code.LAST_DAY,
    "juno": Code.WAITING_FOR_PASS,
    "gita": Code.UNDER_REVIEW,
    "lea": Code.SUSPENDED,
    "mia": Code.CLOSED,
}
THEN = {"kim": Code.RENEWED, "ben": Code.FAILED}
"""Who is in which state at the beginning of the demo, and four days later."""


def banners(page: Page) -> list[str]:
    """Return what a page's banners say first."""
    return page.locator(".banner strong").all_inner_texts()


def expected(code: Code) -> list[str]:
    return [BANNERS[code][0]] if code in BANNERS else []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_has_its_page(
    browser: Browser, simulation: Simulation, scheme: str
) -> None:
    """Each status code with its banner or none; axe finds nothing on any of them."""
    with connect(simulation.conninfo) as conn:
        conn.execute("UPDATE renewer.member SET plan = 'gold' WHERE member_id = 'ben'")
    seen, found = set(), []
    with demo_page(browser, simulation, color_scheme=scheme) as (page, url):
        for states, days in ((FIRST, 0), (THEN, 4)):
            for _ in range(days):
                simulation.advance(Step.DAY)
            for member_id, code in states.items():
                told = page.request.get(f"{url}/api/members/{member_id}").json()
                assert (member_id, told["status_code"]) == (member_id, code)
                page.goto(f"{url}/members/{member_id}")
                assert page.locator("#headline").inner_text() == told["headline"]
                assert banners(page) == expected(code)
                found += look(page, f"state-{code}-{scheme}")
                seen.add(code)
    assert found == []
    assert seen == set(Code) - {Code.UNKNOWN_MEMBER}


def test_a_change_of_plan_that_waits_has_a_banner(
    browser: Browser, simulation: Simulation
) -> None:
    """It names the plan and when it begins; with the change it is gone."""
    with demo_page(browser, simulation) as (page, url):
        page.goto(f"{url}/members/kim")
        text = f"{PENDING} Plan Basic begins with your next cycle."
        assert page.locator(".banner").all_inner_texts() == [text]
        for _ in range(4):
            simulation.advance(Step.DAY)
        page.goto(f"{url}/members/kim")
        assert page.locator(".banner").all_inner_texts() == []
        assert page.locator(".facts").inner_text().endswith("Plan\nBasic")


HIDDEN = ("header", ".clock", ".filters", "button.copy", ".skip")
SHOWN = ("#headline", "#statement", "table", ".bar", "footer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_prints_well(
    browser: Browser, simulation: Simulation, scheme: str
) -> None:
    """On white paper, without what can only be clicked, and no column is cut off."""
    with demo_page(browser, simulation, color_scheme=scheme) as (page, url):
        page.goto(f"{url}/members/juno")
        page.emulate_media(media="print")
        # The width of A4 between its margins.
        page.set_viewport_size({"width": 680, "height": 960})
        for name in HIDDEN:
            assert not page.locator(name).first.is_visible(), name
        for name in SHOWN:
            assert page.locator(name).first.is_visible(), name
        paper = page.evaluate("getComputedStyle(document.documentElement).background")
        assert paper.startswith("rgb(255, 255, 255)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 680
        assert page.pdf(format="A4").startswith(b"%PDF")


@contextmanager
def behind_a_proxy(url: str, *, takes_prefix: bool) -> Iterator[str]:
    """
    Serve /connects of another port from *url*, as nginx would; yield where.

    It tells the address of the client, which a header X-Test-Client names here.
    """
    host = url.removeprefix("http://")

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path
            if takes_prefix:
                path = path.removeprefix("/connects") or "/"
            headers = {
                "Host": self.headers["Host"],
                "X-Forwarded-For": self.headers.get("X-Test-Client", "192.0.2.1"),
                "X-Forwarded-Proto": "https",
            }
            there = http.client.HTTPConnection(host, timeout=10)
            there.request("GET", path, headers=headers)
            answer = there.getresponse()
            content = answer.read()
            there.close()
            self.send_response(answer.status)
            for name, text in answer.getheaders():
                if name.lower() not in ("date", "transfer-encoding"):
                    self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/connects"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


CLOSED = {"RENEWER_WEB_TOKEN": TOKEN, "RENEWER_LINK_KEYS": KEYS[0]}


@pytest.mark.parametrize("takes_prefix", [True, False])
def test_a_link_works_behind_a_proxy_with_a_prefix(
    marketplace: str, browser: Browser, takes_prefix: bool
) -> None:
    """The page has its style, and each link stays under the prefix with the token."""
    arguments = ("--root-path", "/connects", "--proxy", "127.0.0.1")
    with (
        serving(marketplace, *arguments, log=DEVNULL, **CLOSED) as (url, _),
        behind_a_proxy(url, takes_prefix=takes_prefix) as outside,
        open_page(browser) as page,
    ):
        token = sign("now", later(), KEYS[0])
        page.goto(f"{outside}/members/now?token={token}")
        assert page.locator("button.copy").is_visible()
        assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
        page.get_by_role("link", name="Last 30 days").click()
        assert page.url.startswith(f"{outside}/members/now?days=30&token=")
        page.get_by_role("link", name="How Connects renew").click()
        assert page.url == f"{outside}/members/now/help?token={token}"
        assert page.get_by_role("heading", name="Short months").is_visible()


def failures(page: Page, address: str, client: str, count: int) -> list[int]:
    """Return what *count* look-ups without a credential are answered."""
    headers = {"X-Test-Client": client}
    return [page.request.get(address, headers=headers).status for _ in range(count)]


def test_only_a_trusted_proxy_is_believed_who_asks(
    marketplace: str, browser: Browser
) -> None:
    """Failed look-ups are limited for each client then, else for all together."""
    with open_page(browser) as page:
        for trusted, others in ((("--proxy", "127.0.0.1"), 401), ((), 429)):
            with (
                serving(marketplace, *trusted, log=DEVNULL, **CLOSED) as (url, _),
                behind_a_proxy(url, takes_prefix=True) as outside,
            ):
                address = f"{outside}/members/now"
                first = failures(page, address, "203.0.113.7", 31)
                assert first == [401] * 30 + [429]
                assert failures(page, address, "203.0.113.8", 1) == [others]
