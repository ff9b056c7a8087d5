"""The pages in a real browser: narrow and wide, dark and light, with axe."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from renewer.host.settings import Settings
from renewer.store.reading import Reader
from renewer.web.serving import Place, make_app

CHROMIUM = shutil.which("chromium")
PAGES = {
    "overview": "/",
    "run": "/runs/1",
    "help": "/help",
    "trouble": "/members/nobody",
    "renewed": "/members/ana",
    "waiting": "/members/ben",
    "review": "/members/held",
    "suspended": "/members/sus",
    "closed": "/members/shut",
    "failed": "/members/lost",
    "current": "/members/now",
    "strange": "/members/a%2Fb%20%3Ci%3E%C3%A4",
}
WIDTHS = (320, 768, 1440)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def address(marketplace: str) -> Iterator[str]:
    """Where the pages are served, by a real server."""
    with closing(Reader(marketplace)) as reader, socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        port = here.getsockname()[1]
        app = make_app(reader, Settings.model_validate({}), Place("127.0.0.1", port))
        config = uvicorn.Config(app, access_log=False, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = threading.Thread(target=server.run, kwargs={"sockets": [here]})
        serving.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        serving.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield opened
        opened.close()


def open_page(browser: Browser, **options: Any) -> Page:
    return browser.new_context(**options).new_page()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_overflows(
    browser: Browser, address: str, scheme: str
) -> None:
    """On every page, at every width: WCAG 2.2 AA as far as a program can tell."""
    page = open_page(browser, color_scheme=scheme)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    axe, found = Axe(), []
    for name, path in PAGES.items():
        page.goto(address + path)
        options = {"runOnly": {"type": "tag", "values": TAGS}}
        violations = axe.run(page, options=options).response["violations"]
        found += [
            (name, each["id"], each["nodes"][0]["html"][:120]) for each in violations
        ]
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append((name, f"{wide} wide", f"at {width}"))
            save(page, f"{name}-{scheme}-{width}")
    page.context.close()
    assert (found, errors) == ([], [])


def save(page: Page, name: str) -> None:
    """Save a screenshot where RENEWER_SCREENSHOTS says."""
    folder = os.environ.get("RENEWER_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_everything_works_without_javascript(browser: Browser, address: str) -> None:
    """The search, the filters and the statement; only the button is not there."""
    page = open_page(browser, java_script_enabled=False)
    page.goto(address)
    page.get_by_role("textbox", name="Member").fill("ana")
    page.get_by_role("button", name="Look up").click()
    assert page.url == f"{address}/members/ana"
    assert not page.locator("button.copy").is_visible()
    page.get_by_role("link", name="Last 7 days").click()
    rows = page.locator("section[aria-labelledby=statement] tbody tr")
    assert [row.split("\t")[1] for row in rows.all_inner_texts()] == [
        "Bonus Connects =bonus <b>"
    ]
    page.context.close()


def test_the_button_copies_the_headline(browser: Browser, address: str) -> None:
    """By keyboard alone, and it says so."""
    page = open_page(browser, permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{address}/members/ana")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#headline").inner_text()
    page.context.close()
