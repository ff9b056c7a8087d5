"""The pages in a real browser: narrow and wide, dark and light, with axe."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from renewer.cli.simulation import Simulation
from renewer.host.settings import Settings
from renewer.store.reading import Reader
from renewer.web.serving import Place, make_app
from renewer.web.stage import Stage
from tests.support import ROOT

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

pytestmark = [
    pytest.mark.gate,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@contextmanager
def served(conninfo: str, stage: Stage | None = None) -> Iterator[str]:
    """Serve the pages of a database by a real server; yield where."""
    with closing(Reader(conninfo)) as reader, socket.socket() as here:
        here.bind(("127.0.0.1", 0))
        here.listen()  # A browser that is quicker than the server waits.
        port = here.getsockname()[1]
        place = Place("127.0.0.1", port)
        app = make_app(reader, Settings.model_validate({}), place, stage)
        config = uvicorn.Config(app, access_log=False, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = threading.Thread(target=server.run, kwargs={"sockets": [here]})
        serving.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            serving.join()


@pytest.fixture(scope="module")
def address(marketplace: str) -> Iterator[str]:
    """Where the pages are."""
    with served(marketplace) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield opened
        opened.close()


@contextmanager
def open_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open a page in a context of its own, which ends with it."""
    with browser.new_context(**options) as context:
        yield context.new_page()


@contextmanager
def demo_page(
    browser: Browser, simulation: Simulation, **options: Any
) -> Iterator[tuple[Page, str]]:
    """Serve the demo and open a page; yield it, and where the demo is."""
    with (
        served(simulation.conninfo, simulation) as url,
        open_page(browser, **options) as page,
    ):
        yield page, url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_overflows(
    browser: Browser, address: str, scheme: str
) -> None:
    """On every page, at every width: WCAG 2.2 AA as far as a program can tell."""
    with open_page(browser, color_scheme=scheme) as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        found = []
        for name, path in PAGES.items():
            page.goto(address + path)
            found += look(page, f"{name}-{scheme}")
    assert (found, errors) == ([], [])


def look(page: Page, name: str) -> list[tuple[str, str, str]]:
    """Return what axe finds wrong with a page, and at which widths it overflows."""
    rules = {"type": "tag", "values": TAGS}
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    found = [(name, each["id"], each["nodes"][0]["html"][:120]) for each in violations]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            found.append((name, f"{wide} wide", f"at {width}"))
        save(page, f"{name}-{width}")
    return found


def save(page: Page, name: str) -> None:
    """Save a screenshot where RENEWER_SCREENSHOTS says."""
    folder = os.environ.get("RENEWER_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_everything_works_without_javascript(browser: Browser, address: str) -> None:
    """The search, the filters and the statement; only the button is not there."""
    with open_page(browser, java_script_enabled=False) as page:
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


def test_the_button_copies_the_headline(browser: Browser, address: str) -> None:
    """By keyboard alone, and it says so."""
    with open_page(browser, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{address}/members/ana")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_text("Copied.").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator("#headline").inner_text()


@pytest.mark.parametrize("javascript", [True, False])
def test_the_clock_of_the_demo_is_moved_in_a_browser(
    browser: Browser, simulation: Simulation, javascript: bool
) -> None:
    """With and without JavaScript; a browser names the page the button is on."""
    with demo_page(browser, simulation, java_script_enabled=javascript) as (page, url):
        page.goto(f"{url}/members/finn")
        page.get_by_role("button", name="To the next renewal").click()
        assert page.url == f"{url}/members/finn"
        clock = page.get_by_role("region", name="Test clock of the demo")
        assert "Sunday 15 May 2016 at 00:00 UTC" in clock.inner_text()
        assert "Monthly Connects renewal +60" in clock.inner_text()
        page.get_by_role("link", name="Demo").click()
        page.get_by_role("button", name="One day on").click()
        page.locator("li.touched").wait_for()
        assert page.url == f"{url}/demo"
        assert page.locator("li.touched h2 a").all_inner_texts() == ["lea"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_demo(
    browser: Browser, simulation: Simulation, scheme: str
) -> None:
    """Before the first step and after it."""
    with demo_page(browser, simulation, color_scheme=scheme) as (page, url):
        page.goto(f"{url}/demo")
        found = look(page, f"demo-first-{scheme}")
        page.get_by_role("button", name="To the next renewal").click()
        page.locator("li.touched").first.wait_for()
        page.wait_for_load_state()
        found += look(page, f"demo-{scheme}")
        page.goto(f"{url}/members/finn")
        found += look(page, f"demo-member-{scheme}")
    assert found == []


def test_the_pictures_of_the_readme_are_made_by_one_command(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """
    They are small, and README.md shows those that are in the repository.

    With --long every page has its pictures.
    """
    from tests.web.screenshots import MOST_BYTES, PICTURES, SMALL

    more = ["--all"] if pytestconfig.getoption("--long") else []
    done = subprocess.run(
        [sys.executable, "-m", "tests.web.screenshots", str(tmp_path), *more],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    readme = (ROOT / "README.md").read_text()
    for name in SMALL:
        path = PICTURES / f"{name}.png"
        assert f"(deploy/pictures/{path.name})" in readme
        for picture in (path, tmp_path / path.name):
            content = picture.read_bytes()
            assert content.startswith(b"\x89PNG")
            assert len(content) < MOST_BYTES
    pages = len(list(tmp_path.glob("*-dark-320.png")))
    assert pages > len(SMALL) if more else pages == 0
